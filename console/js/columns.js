// Copyright (C) the nginx media suite authors

// Columns of streams and clients, which several pages show.

import { h, put } from './dom.js';
import { t } from './text.js';
import { audio, bits, bytes, count, duration, ms, percent, video }
    from './format.js';
import { link } from './table.js';
import { vhostName } from './state.js';


export const streamKey = s => s.id;


// names are in the query of links, ids in their path

export function streamNames(s) {
    return { vhost: vhostName(s.vhost), app: s.app, stream: s.name };
}


export function query(names) {
    return new URLSearchParams(names).toString();
}


export function state(cell, live) {
    if (!cell.firstChild) {
        cell.append(h('span', {}));
    }

    cell.firstChild.className = live ? 'badge live' : 'badge';
    put(cell.firstChild, t(live ? 'stream.live' : 'stream.idle'));
}


export function streamColumns(ids) {
    const all = {
        name: { title: 'stream', cls: 'main', value: s => s.url,
                show: (cell, s) => link(cell, s.url.replace(/^\//, ''),
                    `#/streams/${encodeURIComponent(s.id)}`) },
        state: { title: 'state', value: s => s.publish.active ? 0 : 1,
                 show: (cell, s) => state(cell, s.publish.active) },
        video: { title: 'video', text: s => video(s.video) || '–',
                 value: s => s.video ? s.video.width * s.video.height : 0,
                 down: true },
        audio: { title: 'audio', text: s => audio(s.audio) || '–' },
        clients: { title: 'clients', cls: 'num', down: true,
                   text: s => count(s.clients), value: s => s.clients },
        recv: { title: 'recv', cls: 'num', down: true,
                text: s => bits(s.kbps.recv_30s), value: s => s.kbps.recv_30s },
        send: { title: 'send', cls: 'num', down: true,
                text: s => bits(s.kbps.send_30s), value: s => s.kbps.send_30s },
        dropped: { title: 'dropped', cls: 'num', down: true,
                   text: s => count(s.dropped), value: s => s.dropped },
        memory: { title: 'memory', cls: 'num', down: true,
                  text: s => bytes(s.memory.bytes),
                  value: s => s.memory.bytes },
    };

    return ids.map(id => ({ id, ...all[id] }));
}


// of the way to a client, in the direction in which its media goes; null
// where nothing knows it

export function way(c) {
    const l = c.link;

    if (!l) {
        return null;
    }

    const all = c.publish ? l.received + l.dropped : l.sent;
    const lost = c.publish ? l.lost : l.sent_lost;

    return { rtt: l.rtt_ms || null, loss: all ? Math.min(1, lost / all) : 0,
             again: c.publish ? l.recovered : l.resent,
             late: c.publish ? l.dropped : l.sent_dropped };
}


export function clientType(c) {
    return c.relay ? `${c.type} · ${t('client.relay')}` : c.type;
}


function wayColumn(title, name, show) {
    return { title, cls: 'num', down: true,
             text: c => {
                 const value = way(c)?.[name] ?? null;

                 return value === null ? '–' : show(value);
             },
             value: c => way(c)?.[name] ?? -1 };
}


export function clientColumns(ids) {
    const all = {
        ip: { title: 'client.ip', cls: 'main', text: c => c.ip,
              value: c => c.ip },
        id: { title: 'client.id', text: c => c.id, cls: 'mono' },
        type: { title: 'client.type', text: clientType, value: c => c.type },
        rtt: wayColumn('client.rtt', 'rtt', ms),
        loss: wayColumn('client.loss', 'loss', percent),
        again: wayColumn('client.again', 'again', count),
        stream: { title: 'stream', value: c => c.url,
                  show: (cell, c) => c.stream
                      ? link(cell, c.url.replace(/^\//, ''),
                             `#/streams/${encodeURIComponent(c.stream)}`)
                      : put(cell, c.url) },
        alive: { title: 'client.alive', cls: 'num', down: true,
                 text: c => duration(c.alive), value: c => c.alive },
        rate: { title: 'client.rate', cls: 'num', down: true,
                text: c => bits(c.publish ? c.kbps.recv_30s
                                          : c.kbps.send_30s),
                value: c => Math.max(c.kbps.recv_30s, c.kbps.send_30s) },
        bytes: { title: 'client.bytes', cls: 'num', down: true,
                 text: c => bytes(c.publish ? c.recv_bytes : c.send_bytes),
                 value: c => Math.max(c.recv_bytes, c.send_bytes) },
        lag: { title: 'client.lag', cls: 'num', down: true,
               text: c => c.publish ? '–' : ms(c.lag_ms),
               value: c => c.lag_ms },
        dropped: { title: 'dropped', cls: 'num', down: true,
                   text: c => count(c.dropped), value: c => c.dropped },
        worker: { title: 'client.worker', cls: 'num', text: c => c.worker,
                  value: c => c.worker },
    };

    return ids.map(id => ({ id, ...all[id] }));
}
