// Copyright (C) the nginx media suite authors

// The server at a glance.

import { h, put, panel } from './dom.js';
import { t } from './text.js';
import { workers, poll, ApiError, Listing } from './api.js';
import { state, listen } from './state.js';
import { Graph } from './graph.js';
import { Table } from './table.js';
import { bits, bytes, clock, count, duration, percent } from './format.js';
import { streamColumns, streamKey } from './columns.js';


function tile(id) {
    const value = h('b', {}, '–');
    const more = h('small', {});

    return { root: h('div', { class: 'tile', 'data-tile': id },
                     h('span', {}, t(`tile.${id}`)), value, more),
             set(text, small) {
                 put(value, text);
                 put(more, small || '');
             } };
}


function graphs() {
    return {
        traffic: new Graph({ title: t('graph.traffic'), seconds: 300,
            least: 10, format: bits, series: [
                { name: t('graph.in'), cls: 'one' },
                { name: t('graph.out'), cls: 'two' }] }),
        cpu: new Graph({ title: t('graph.cpu'), seconds: 300, least: 0.1,
            format: percent, series: [
                { name: t('graph.workers'), cls: 'one' },
                { name: t('graph.machine'), cls: 'two' }] }),
        arena: new Graph({ title: t('graph.arena'), seconds: 300,
            least: 1 << 20, binary: true, format: bytes, series: [
                { name: t('graph.used'), cls: 'one' }] }),
        clients: new Graph({ title: t('graph.clients'), seconds: 300,
            least: 10, format: v => count(Math.round(v)), series: [
                { name: t('clients'), cls: 'one' }] }),
    };
}


function draw(g) {
    const of = (...names) => state.samples.map(p =>
        ({ time: p.time, values: names.map(n => p[n]) }));

    g.traffic.set(of('recv', 'send'));
    g.cpu.set(of('cpu', 'machine'));
    g.arena.set(of('arena'));
    g.clients.set(of('clients'));
}


function tiles(all) {
    const { self, system, arena } = state.summary;
    const last = state.samples.at(-1);

    all.uptime.set(duration(self.srs_uptime), `nginx media ${state.version}`);
    all.clients.set(count(system.conn_srs),
        t('tile.streams', { n: count(arena.sources) }));
    all.traffic.set(last ? `${bits(last.recv)} ↓` : '–',
        last ? `${bits(last.send)} ↑` : '');
    all.total.set(`${bytes(system.srs_recv_bytes)} ↓`,
        `${bytes(system.srs_send_bytes)} ↑`);
    all.cpu.set(percent(self.cpu_percent), t('tile.load',
        { n: system.load_1m.toFixed(2), cpus: system.cpus_online }));
    all.memory.set(bytes(self.mem_kbyte * 1024), t('tile.ram',
        { n: percent(system.mem_ram_percent) }));
    all.arena.set(percent(arena.size ? arena.used / arena.size : 0),
        `${bytes(arena.used)} / ${bytes(arena.size)}`);
    all.machine.set(percent(system.cpu_percent), t('tile.up',
        { n: duration(system.uptime) }));
}


function eventLine(e) {
    const name = e.stream ? `${e.app}/${e.stream}` : e.app || '';
    const time = e.duration_ms ?? (e.event === 'recorded' ? e.duration : 0);
    const more = [e.protocol, e.format, e.ip, e.reason,
                  e.event === 'recorded' && bytes(e.bytes),
                  e.event === 'lost' && e.count, time && duration(time / 1000)]
        .filter(Boolean).join(' · ');

    return h('li', {}, h('time', {}, clock(e.time || Date.now())),
             h('span', { class: `kind ${e.event}` }, t(`event.${e.event}`)),
             h('span', { class: 'what' }, name),
             h('span', { class: 'muted' }, more));
}


function workersTable() {
    return new Table({
        name: t('overview.workers'), empty: 'workers.none', search: false,
        key: w => w.slot, sort: 'slot',
        columns: [
            { id: 'slot', title: 'worker.slot', text: w => w.slot,
              value: w => w.slot },
            { id: 'pid', title: 'worker.pid', text: w => w.pid, cls: 'num' },
            { id: 'cpu', title: 'worker.cpu', cls: 'num',
              text: w => percent(w.cpu_ratio) },
            { id: 'memory', title: 'worker.memory', cls: 'num',
              text: w => bytes(w.memory_bytes) },
            { id: 'sessions', title: 'worker.sessions', cls: 'num',
              text: w => count(w.sessions) },
        ],
    });
}


export default {
    open(root) {
        const all = Object.fromEntries(['uptime', 'clients', 'traffic',
            'total', 'cpu', 'memory', 'arena', 'machine']
            .map(id => [id, tile(id)]));
        const g = graphs();
        const events = h('ol', { class: 'events', 'aria-live': 'off' });
        const silent = h('p', { class: 'empty' });
        const table = workersTable();
        let none = false;

        const live = new Table({
            name: t('overview.live'), empty: 'streams.none', size: 10,
            search: false, key: streamKey, sort: 'recv',
            columns: streamColumns(['name', 'video', 'audio', 'clients',
                                    'recv', 'send']),
            listing: new Listing('streams/', 'streams'), match: s => s.url,
        });

        live.desc = true;

        const list = () => {
            const rows = state.events.slice(0, 50);

            silent.hidden = rows.length > 0;
            put(silent, t(state.listening === false ? 'events.off'
                : 'events.none'));

            return rows;
        };

        const asked = poll(async signal => {
            if (none) {
                return;
            }

            try {
                table.set(await workers(signal));
            } catch (e) {
                if (e instanceof ApiError) {
                    none = true;
                    table.set([]);
                } else {
                    throw e;
                }
            }
        }, () => state.summary?.arena.sources > 200 ? 15000 : 4000);

        const end = listen((what, e) => {
            if (what === 'summary') {
                tiles(all);
                draw(g);
            } else if (what === 'event') {
                events.prepend(eventLine(e));
                while (events.children.length > 50) {
                    events.lastChild.remove();
                }
                list();
                if (/publish/.test(e.event)) {
                    live.refresh();
                }
            } else {
                list();
            }
        });

        events.append(...list().map(eventLine));

        root.append(
            h('div', { class: 'tiles' }, Object.values(all).map(x => x.root)),
            h('div', { class: 'graphs' }, Object.values(g).map(x =>
                h('div', { class: 'panel' }, x.root))),
            panel(t('overview.live'), live.root),
            h('div', { class: 'columns' },
                panel(t('overview.workers'), table.root),
                panel(t('overview.events'), silent, events)));

        if (state.summary) {
            tiles(all);
            draw(g);
        }

        return () => {
            end();
            asked.stop();
            live.close();
            Object.values(g).forEach(x => x.close());
        };
    },
};
