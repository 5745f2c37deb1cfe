// Copyright (C) the nginx media suite authors

// What all pages share: what the server can do and this client may do, names
// of vhosts, the samples of the last minutes and the events.

import { api, place, poll } from './api.js';


const SAMPLES = 150;
const EVENTS = 100;
const EVERY = 2000;
const ABOUT = 30000;

const listeners = new Set();


export const state = {
    version: '',
    features: null,
    allowed: { remove: false, action: false },
    vhosts: new Map(),
    summary: null,
    samples: [],
    events: [],
    listening: null,        // true, false; null before it is known
    online: null,
};


// asks again for the vhosts where there are others, but not all the time

export function unknownVhost() {
    if (asked + 2000 < Date.now()) {
        about().catch(() => {});
    }
}


// f('summary' | 'event' | 'online'); gives a function that ends it

export function listen(f) {
    listeners.add(f);

    return () => listeners.delete(f);
}


function tell(what, data) {
    for (const f of [...listeners]) {
        f(what, data);
    }
}


export function vhostName(id) {
    const vhost = state.vhosts.get(id);

    return vhost ? vhost.name : '';
}


// the argument that chooses a vhost; the default one needs none

export function vhostArgument(name) {
    return name && name !== '__defaultVhost__'
        ? `vhost=${encodeURIComponent(name)}` : '';
}


let asked = 0;

async function about() {
    asked = Date.now();

    const [versions, features, vhosts] = await Promise.all([
        api('versions'), api('features'), api('vhosts/?count=10000'),
    ]);

    state.version = versions.data.version;
    state.features = features.data.features;
    state.options = features.data.options2 || '';
    state.allowed = features.data.allowed || state.allowed;
    state.vhosts = new Map(vhosts.vhosts.map(v => [v.id, v]));
}


function rate(now, before, seconds) {
    return seconds > 0 ? Math.max(0, (now - before) * 8 / 1000 / seconds) : 0;
}


function sample(data) {
    const last = state.last;
    const system = data.system;
    const time = data.now_ms;
    const seconds = last ? (time - last.time) / 1000 : 0;

    state.last = { time, recv: system.srs_recv_bytes,
                   send: system.srs_send_bytes };

    if (!last || seconds <= 0) {
        return;
    }

    state.samples.push({
        time,
        recv: rate(system.srs_recv_bytes, last.recv, seconds),
        send: rate(system.srs_send_bytes, last.send, seconds),
        cpu: data.self.cpu_percent,
        machine: system.cpu_percent * system.cpus_online,
        arena: data.arena.used,
        clients: system.conn_srs,
    });

    if (state.samples.length > SAMPLES) {
        state.samples.shift();
    }
}


function online(value) {
    if (state.online !== value) {
        state.online = value;
        tell('online');
    }
}


async function summaries(signal) {
    let json;

    try {
        json = await api('summaries', { signal });
    } catch (e) {
        if (e.name !== 'AbortError') {
            online(false);
        }
        throw e;
    }

    if (state.service !== json.service || asked + ABOUT < Date.now()) {
        if (state.service && state.service !== json.service) {
            state.last = null;
        }

        await about();
        state.service = json.service;
    }

    state.summary = json.data;
    sample(json.data);
    online(true);
    tell('summary');
}


// Server-sent events.  Where there are none the browser says so once; it comes
// back by itself after a reload.

function events() {
    const kinds = ['connect', 'close', 'publish', 'unpublish', 'play', 'stop',
                   ...state.features.dvr ? ['record', 'recorded'] : []];
    const source = new EventSource(place(`events?event=${kinds.join(',')}`));

    for (const kind of [...kinds, 'lost']) {
        source.addEventListener(kind, e => {
            let data;

            try {
                data = JSON.parse(e.data);
            } catch {
                return;
            }

            state.events.unshift(data);
            state.events.length = Math.min(state.events.length, EVENTS);
            tell('event', data);
        });
    }

    source.addEventListener('open', () => {
        state.listening = true;
        tell('listening');
    });

    source.addEventListener('error', () => {
        state.listening = source.readyState === EventSource.CLOSED ? false
            : state.listening;
        tell('listening');
    });
}


export function start() {
    poll(summaries, EVERY);
    ready().then(events);
}


// resolves when features and vhosts are known

export function ready() {
    return state.features ? Promise.resolve() : new Promise(resolve => {
        const end = listen(() => {
            if (state.features) {
                end();
                resolve();
            }
        });
    });
}
