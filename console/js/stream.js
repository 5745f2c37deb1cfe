// Copyright (C) the nginx media suite authors

// One stream: its tracks, its publisher, its viewers, and what can be done.

import { h, put, fill, panel, button, icon, select } from './dom.js';
import { t } from './text.js';
import { api, change, poll, ApiError } from './api.js';
import { state, listen, unknownVhost } from './state.js';
import { Graph } from './graph.js';
import { Player } from './player.js';
import { kindsFor, kindName } from './players.js';
import { clientTable } from './clients.js';
import { clientType, query, streamNames, state as badge, way }
    from './columns.js';
import { bits, bytes, count, duration, ms, percent } from './format.js';
import { confirm, failed, kick, toast } from './ui.js';


const SECONDS = 300;


// a list of names and values that change: set({ key: text })

function facts(keys) {
    const values = Object.fromEntries(keys.map(k => [k, h('dd', {}, '–')]));
    const rows = Object.fromEntries(keys.map(k => [k, h('div', {},
        h('dt', {}, t(`fact.${k}`)), values[k])]));

    return { root: h('dl', { class: 'facts' }, Object.values(rows)),
             set(texts) {
                 for (const k of keys) {
                     rows[k].hidden = texts[k] === null;
                     put(values[k], texts[k] ?? '–');
                 }
             } };
}


// A card for a track: what it is and a graph of its bit rate

class Track {

    constructor(track) {
        const video = track.type === 'video';

        this.facts = facts(video
            ? ['bitrate', 'fps', 'gop', 'keyframes', 'bframes', 'jitter',
               'frames', 'bytes']
            : ['bitrate', 'fps', 'jitter', 'frames', 'bytes']);
        this.name = h('h3', {});
        this.what = h('span', { class: 'muted' });
        this.graph = new Graph({ title: t('graph.bitrate'), seconds: SECONDS,
            least: 10, format: bits, series: [{ name: t('graph.bitrate'),
                cls: video ? 'one' : 'two' }] });
        this.points = [];
        this.root = h('section', { class: 'panel track',
                                   'data-track': track.name },
            h('header', { class: 'row' }, this.name, this.what),
            this.graph.root, this.facts.root);
    }

    // now: ms of the server; the newest of history_kbps is that of now

    set(track, stream, now) {
        const history = track.history_kbps;
        const last = this.points.at(-1);
        const fresh = last ? Math.round((now - last.time) / 1000)
            : history.length;
        const n = Math.max(0, Math.min(fresh, history.length));

        for (let i = n; i > 0; i--) {
            this.points.push({ time: now - (i - 1) * 1000,
                               values: [history[history.length - i]] });
        }

        this.points.splice(0, this.points.length - SECONDS);
        this.graph.set(this.points);

        const v = track.type === 'video' ? stream.video : null;
        const a = track.type === 'audio' ? stream.audio : null;

        put(this.name, `${t(track.type)} ${track.name}`);
        put(this.what, [track.codec,
            v && v.codec === track.codec && [v.profile, v.level]
                .filter(Boolean).join('@'),
            v && v.codec === track.codec && v.width
                && `${v.width}×${v.height}`,
            a && a.codec === track.codec && a.profile,
            a && a.codec === track.codec && a.sample_rate
                && `${a.sample_rate} Hz`,
            a && a.codec === track.codec && a.channel
                && t('channels', { n: a.channel })]
            .filter(Boolean).join(' · '));

        this.facts.set({
            bitrate: bits(track.bitrate_kbps),
            fps: track.fps.toFixed(2),
            gop: track.gop_frames === undefined ? null
                : `${ms(track.gop_ms)} · ${t('frames', {
                    n: track.gop_frames })}`,
            keyframes: track.keyframes === undefined ? null
                : ms(track.keyframe_interval_ms),
            bframes: track.bframes === undefined ? null
                : count(track.bframes),
            jitter: `${track.jitter_ms.toFixed(1)} / `
                + `${track.jitter_max_ms.toFixed(1)} ms`,
            frames: count(track.frames),
            bytes: bytes(track.bytes),
        });
    }

    close() {
        this.graph.close();
    }
}


function wayText(w) {
    return w && t('way', { rtt: w.rtt === null ? '–' : ms(w.rtt), loss: percent(w.loss),
                           again: count(w.again), late: count(w.late) });
}


// the buttons above, and the player that one of them opens

function controls(page) {
    const watch = button(t('stream.play'), { class: 'primary',
        'aria-expanded': 'false', onclick: () => page.watch() }, 'play');
    const off = button(t('stream.kick'), { class: 'danger', disabled: true,
        onclick: async () => {
            if (page.publisher && await kick(page.publisher,
                                             page.stream.url))
            {
                page.asked.now();
            }
        } });
    const again = button(t('stream.republish'), { disabled: true,
        onclick: async () => {
            if (!await confirm(t('stream.republish'), t('republish.text'),
                               t('stream.republish')))
            {
                return;
            }

            try {
                await change('POST', `streams/${encodeURIComponent(page.id)}`,
                             { action: 'republish' });
                toast(t('republish.done'));
            } catch (e) {
                failed(e);
            }
        } });

    return { watch, off, again, root: h('div', { class: 'buttons' }, watch,
        off, again) };
}


// on, off, auto

function recorder(page) {
    const word = h('p', { class: 'muted' });
    const names = ['auto', 'on', 'off'];
    const inputs = names.map(v => h('input', { type: 'radio', name: 'record',
        value: v, onchange: async () => {
            try {
                await change('POST', `streams/${encodeURIComponent(page.id)}`,
                             { action: 'record', switch: v });
                toast(t('record.done'));
            } catch (e) {
                failed(e);
                choose(page.stream.record?.switch);
            }

            page.asked.now();
        } }));
    const choose = value => inputs.forEach(input =>
        input.checked = input.value === value);
    const file = h('p', { class: 'mono break muted' });
    const hint = h('p', { class: 'muted', hidden: true }, t('denied'));
    const link = h('a', {}, t('record.list'));
    const group = h('fieldset', { class: 'segments' },
        h('legend', { class: 'unseen' }, t('record')),
        inputs.map((input, i) => h('label', {}, input,
            h('span', {}, t(`record.${names[i]}`)))));

    return {
        root: panel(t('record'), group, hint, word, file, link),
        set(stream) {
            const r = stream.record;

            group.disabled = !r || !state.allowed.action;
            group.title = r && !state.allowed.action ? t('denied') : '';
            link.hidden = !state.features.dvr;
            link.href = `#/recordings?${query({ app: stream.app,
                stream: stream.name })}`;

            if (!r) {
                put(word, t('record.none'));
                put(file, '');
                return;
            }

            if (!group.contains(document.activeElement)) {
                choose(r.switch);
            }

            put(word, r.active ? t('record.active', {
                time: duration(r.duration / 1000), size: bytes(r.bytes) })
                + (r.lost ? ` · ${t('record.lost', { n: r.lost })}` : '')
                : t('record.idle'));
            put(file, r.active ? r.file : '');
            hint.hidden = state.allowed.action;
        },
    };
}


class Page {

    constructor(root, id, title) {
        this.id = id;
        this.title = title;
        this.tracks = new Map();
        this.state = h('span', { class: 'state' });
        this.lead = facts(['name', 'vhost', 'recv', 'send', 'clients', 'lag',
            'dropped', 'jumps', 'publishes', 'memory', 'segments', 'viewers']);
        this.publishing = facts(['ip', 'type', 'alive', 'received', 'encoder',
                                 'way', 'worker']);
        this.controls = controls(this);
        this.recorder = recorder(this);
        this.place = h('div', { class: 'place' });
        this.cards = h('div', { class: 'tracks' });
        this.silent = h('p', { class: 'empty', hidden: true });

        const viewers = clientTable({ path:
            `clients/?stream=${encodeURIComponent(id)}`, size: 25,
            columns: ['ip', 'type', 'alive', 'rate', 'bytes', 'lag',
                      'dropped',
                      ...state.features.srt ? ['rtt', 'loss', 'again'] : [],
                      'worker'] });

        this.viewers = viewers;
        root.append(
            h('div', { class: 'row bar' }, h('a', { class: 'button',
                href: '#/streams' }, icon('back'),
                h('span', {}, t('streams'))), this.state,
                this.controls.root),
            this.place, panel(t('stream.facts'), this.lead.root), this.silent,
            this.cards,
            h('div', { class: 'columns' },
              panel(t('stream.publisher'), this.publishing.root),
              this.recorder.root),
            panel(t('stream.viewers'), viewers.root));

        this.asked = poll(signal => this.load(signal), 1000);
        this.unlisten = listen((what, e) => {
            if (what === 'event' && this.stream && e.app === this.stream.app
                && e.stream === this.stream.name)
            {
                this.asked.now();
                viewers.refresh();
            }
        });
    }

    async load(signal) {
        try {
            const json = await api(`streams/${encodeURIComponent(this.id)}`,
                                   { signal });

            await this.publisherOf(json.stream, signal);
            this.set(json.stream);

        } catch (e) {
            if (!(e instanceof ApiError)) {
                throw e;
            }

            this.gone(e.message);
        }
    }

    // its publisher, not at every turn

    async publisherOf(stream, signal) {
        const cid = stream.publish.active ? stream.publish.cid : null;

        if (cid && this.publisher?.id === cid && this.turns++ % 3) {
            return;
        }

        this.turns = 1;
        this.publisher = null;

        if (cid) {
            try {
                this.publisher = (await api(
                    `clients/${encodeURIComponent(cid)}`, { signal })).client;
            } catch (e) {
                if (!(e instanceof ApiError)) {
                    throw e;
                }
            }
        }
    }

    gone(text) {
        this.silent.hidden = false;
        put(this.silent, text);
        badge(this.state, false);
        this.controls.off.disabled = true;
        this.controls.again.disabled = true;
    }

    set(stream) {
        const { health, hls } = stream;
        const live = stream.publish.active;
        const p = this.publisher;

        if (!state.vhosts.has(stream.vhost)) {
            unknownVhost();
        }

        this.stream = stream;
        this.title(stream.url.replace(/^\//, ''));
        badge(this.state, live);

        this.controls.off.disabled = !p || !state.allowed.remove;
        this.controls.off.title = state.allowed.remove ? '' : t('denied');
        this.controls.again.disabled = !live || !state.allowed.action;
        this.controls.again.title = state.allowed.action ? '' : t('denied');

        this.lead.set({
            name: stream.name,
            vhost: state.vhosts.get(stream.vhost)?.name || stream.vhost,
            recv: bits(stream.kbps.recv_30s), send: bits(stream.kbps.send_30s),
            clients: count(stream.clients),
            lag: health?.slowest ? `${ms(health.lag_ms)} · ${health.slowest}`
                : '–',
            dropped: count(stream.dropped),
            jumps: health ? count(health.jumps) : null,
            publishes: health ? count(health.publishes) : null,
            memory: bytes(stream.memory.bytes),
            segments: hls ? `${count(hls.segments)} · ${ms(hls.duration_ms)}`
                : null,
            viewers: hls ? count(hls.viewers) : null,
        });

        this.publishing.set({
            ip: p && p.ip, type: p && clientType(p),
            alive: p && duration(p.alive), received: p && bytes(p.recv_bytes),
            encoder: p && (p.tcUrl || null),
            way: p && wayText(way(p)), worker: p && p.worker,
        });
        this.publishing.root.hidden = !p;

        this.recorder.set(stream);
        this.silent.hidden = live;
        put(this.silent, t('stream.silent'));
        this.cardsOf(health ? health.tracks : [], stream);
    }

    cardsOf(tracks, stream) {
        const known = new Set(tracks.map(x => x.name));

        for (const [name, card] of this.tracks) {
            if (!known.has(name)) {
                card.close();
                card.root.remove();
                this.tracks.delete(name);
            }
        }

        for (const track of tracks) {
            let card = this.tracks.get(track.name);

            if (!card) {
                card = new Track(track);
                this.tracks.set(track.name, card);
                this.cards.append(card.root);
            }

            card.set(track, stream, stream.live_ms);
        }
    }

    watch() {
        if (!this.stream) {
            return;
        }

        const open = !this.player;

        this.controls.watch.setAttribute('aria-expanded', String(open));

        if (!open) {
            this.player.close();
            this.player = null;
            fill(this.place);
            return;
        }

        const kinds = kindsFor(state.features);
        const start = kind => {
            this.player?.close();
            this.player = new Player(streamNames(this.stream), kind);
            fill(this.place, panel(null, h('div', { class: 'row' }, choice),
                                   this.player.root));
        };
        const choice = select(kinds.map(k => [k.id, kindName(k)]),
            kinds[0].id, id => {
                start(kinds.find(k => k.id === id));
                choice.focus();
            });

        choice.setAttribute('aria-label', t('play.kind'));
        start(kinds[0]);
    }

    close() {
        this.asked.stop();
        this.unlisten();
        this.viewers.close();
        this.player?.close();
        this.tracks.forEach(card => card.close());
    }
}


export default {
    open(root, { id, title }) {
        const page = new Page(root, id, title);

        return () => page.close();
    },
};
