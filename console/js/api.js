// Copyright (C) the nginx media suite authors

// What is asked of the server.  The API, events and metrics are one level
// above this folder, as the players' URLs are.

import { t, has } from './text.js';


export const base = new URL('../', document.baseURI);


// a path of the server, /APP/STREAM.flv for instance; never a URL of its own,
// whatever an application is called

export function place(path) {
    return new URL(`./${path.replace(/^\/+/, '')}`, base).href;
}


// app may have levels

export function encodePath(path) {
    return path.split('/').map(encodeURIComponent).join('/');
}


export class ApiError extends Error {
    constructor(status, code) {
        const key = `error.${code || status}`;

        super(has(key) ? t(key) : t('error.other',
              { what: code ? `code ${code}` : `HTTP ${status}` }));
        this.status = status;
        this.code = code;
    }
}


export class Offline extends Error {
    constructor() {
        super(t('error.network'));
    }
}


async function ask(path, options) {
    try {
        return await fetch(place(path), { cache: 'no-store', ...options });
    } catch (e) {
        throw e.name === 'AbortError' ? e : new Offline();
    }
}


// JSON of /api/v1/PATH; ApiError where the server refuses, Offline where it is
// not there

export async function api(path, options) {
    const answer = await ask(`api/v1/${path}`, options);
    let json = null;

    try {
        json = await answer.json();
    } catch (e) {
        if (e.name === 'AbortError') {
            throw e;
        }
    }

    if (!answer.ok || !json || json.code !== 0) {
        throw new ApiError(answer.status, json && json.code);
    }

    return json;
}


export function change(method, path, values) {
    const query = new URLSearchParams(values || {}).toString();

    return api(query ? `${path}?${query}` : path, { method });
}


// The workers, from the metrics: they stand before the streams, of which there
// may be many, so that the rest need not be read.

export async function workers(signal) {
    const stop = new AbortController();

    signal.addEventListener('abort', () => stop.abort());

    const answer = await ask('metrics', { signal: stop.signal });

    if (!answer.ok) {
        stop.abort();
        throw new ApiError(answer.status);
    }

    const reader = answer.body.pipeThrough(new TextDecoderStream())
        .getReader();
    let text = '';

    for (;;) {
        const { value, done } = await reader.read();

        text += value || '';

        if (done || /\n# HELP nginx_media_stream_/.test(text)) {
            reader.cancel().catch(() => {});
            break;
        }
    }

    return parseWorkers(text);
}


export function parseWorkers(text) {
    const found = new Map();
    const line = /^nginx_media_worker_(\w+)\{slot="(\d+)",pid="(\d+)"\} (\S+)$/;

    for (const row of text.split('\n')) {
        const m = line.exec(row);

        if (m) {
            const worker = found.get(m[2])
                || { slot: Number(m[2]), pid: Number(m[3]) };

            worker[m[1]] = Number(m[4]);
            found.set(m[2], worker);
        }
    }

    return [...found.values()];
}


// Calls f and again `every` ms after it has ended, as long as the page is
// seen; every may be a function.  Gives an object with stop() and now().

export function poll(f, every) {
    const gone = new AbortController();
    let timer = null, running = false, again = false, failures = 0;

    async function run() {
        clearTimeout(timer);

        if (running) {
            again = true;
            return;
        }

        running = true;

        try {
            await f(gone.signal);
            failures = 0;
        } catch (e) {
            failures = Math.min(failures + 1, 4);

            if (!(e instanceof Offline) && !(e instanceof ApiError)
                && e.name !== 'AbortError')
            {
                throw e;
            }

        } finally {
            running = false;
            next();
        }
    }

    function next() {
        if (gone.signal.aborted || document.hidden) {
            return;
        }

        const wait = typeof every === 'function' ? every() : every;

        timer = setTimeout(run, again ? 0 : wait * (1 << failures));
        again = false;
    }

    function seen() {
        if (!document.hidden) {
            run();
        }
    }

    document.addEventListener('visibilitychange', seen);
    run();

    return {
        now: run,
        stop() {
            clearTimeout(timer);
            gone.abort();
            document.removeEventListener('visibilitychange', seen);
        },
    };
}


// A list of the API of any length.  While somebody only turns pages of a long
// one a page is read; all of it, in pieces, is read where it is short or where
// it is searched or sorted.

const SHORT = 1000;
const MOST = 10000;

export class Listing {

    constructor(path, key) {
        this.path = path;
        this.key = key;
        this.total = 0;
    }

    async piece(start, count, signal) {
        const mark = this.path.includes('?') ? '&' : '?';
        const json = await api(`${this.path}${mark}start=${start}`
                               + `&count=${count}`, { signal });

        this.total = json.total;

        return json[this.key];
    }

    // { rows, whole }: whole where rows are all there are

    async read({ start, count, search, signal }) {
        if (this.total > SHORT && !search) {
            return { rows: await this.piece(start, count, signal),
                     whole: false };
        }

        const rows = await this.piece(0, SHORT, signal);

        if (this.total > SHORT && !search) {
            return { rows: await this.piece(start, count, signal),
                     whole: false };
        }

        while (rows.length < Math.min(this.total, MOST)) {
            const more = await this.piece(rows.length, SHORT, signal);

            if (!more.length) {
                break;
            }

            rows.push(...more);
        }

        return { rows, whole: true };
    }

    // long lists are asked for less often

    every(search) {
        return this.total > SHORT && !search ? 2000
            : Math.min(30000, 2000 * Math.max(1, Math.ceil(this.total / 500)));
    }
}
