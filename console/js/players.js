// Copyright (C) the nginx media suite authors

// The kinds of players there are.  Another one is another entry of `kinds`:
// start(video, url, say) plays, say(text) where it fails, and gives { stop(),
// latency(), speed() }, the latter two in seconds and kbit/s, or null.

import { place, encodePath } from './api.js';
import { t } from './text.js';
import { vhostArgument } from './state.js';


let mpegtsLibrary, hlsLibrary;


// a script that leaves a global name; undefined where it is not there

function script(file, name) {
    return new Promise(resolve => {
        const el = document.createElement('script');

        el.src = new URL(`vendor/${file}`, document.baseURI).href;
        el.onload = () => resolve(window[name]);
        el.onerror = () => resolve(undefined);
        document.head.append(el);
    });
}


async function mpegts() {
    mpegtsLibrary ??= await script('mpegts.js', 'mpegts');

    if (!mpegtsLibrary) {
        throw new Error(t('vendor.none'));
    }

    mpegtsLibrary.LoggingControl.enableAll = false;

    return mpegtsLibrary;
}


async function hls() {
    try {
        hlsLibrary ??= (await import('../vendor/hls.min.mjs')).default;
    } catch {
        throw new Error(t('vendor.none'));
    }

    return hlsLibrary;
}


// how much of what has come is still to be shown

export function ahead(video) {
    const n = video.buffered.length;

    return n ? Math.max(0, video.buffered.end(n - 1) - video.currentTime) : 0;
}


export function viaMpegts(type, isLive = true) {
    return async (video, url, say) => {
        const library = await mpegts();

        if (!library.isSupported()) {
            throw new Error(t('play.unsupported'));
        }

        const player = library.createPlayer({ type, isLive, url }, {
            enableWorker: false,
            enableStashBuffer: !isLive,
            lazyLoad: false,
            liveBufferLatencyChasing: isLive,
            liveBufferLatencyMaxLatency: 3,
            liveBufferLatencyMinRemain: 0.7,
            autoCleanupSourceBuffer: true,
        });
        let speed = null;

        player.on(library.Events.ERROR, (kind, detail) =>
            say(t('play.failed', { what: detail || kind })));
        player.on(library.Events.LOADING_COMPLETE, () =>
            isLive && say(t('play.ended')));
        player.on(library.Events.STATISTICS_INFO, info =>
            speed = info.speed * 8);

        player.attachMediaElement(video);
        player.load();
        video.play().catch(() => {});

        return {
            stop: () => player.destroy(),
            latency: () => ahead(video),
            speed: () => speed,
        };
    };
}


function viaHls(lowLatencyMode) {
    return async (video, url, say) => {
        const Hls = await hls();

        if (!Hls.isSupported()) {
            throw new Error(t('play.unsupported'));
        }

        const player = new Hls({
            lowLatencyMode,
            maxLiveSyncPlaybackRate: lowLatencyMode ? 1.5 : 1,
            workerPath: new URL('vendor/hls.worker.js', document.baseURI).href,
        });

        let speed = null;

        player.on(Hls.Events.ERROR, (event, data) => {
            if (data.fatal) {
                say(t('play.failed', { what: data.details }));
                player.stopLoad();
            }
        });

        player.on(Hls.Events.FRAG_LOADED, (event, data) => {
            const { start, end } = data.frag.stats.loading;

            if (end > start && data.frag.duration) {
                speed = data.frag.stats.loaded * 8 / 1000
                    / data.frag.duration;
            }
        });

        player.loadSource(url);
        player.attachMedia(video);
        video.play().catch(() => {});

        return {
            stop: () => player.destroy(),
            latency: () => player.latency || null,
            speed: () => speed,
        };
    };
}


export async function native(video, url, say) {
    video.addEventListener('error', () => video.getAttribute('src')
        && say(t('play.failed', { what: video.error?.message || '' })));
    video.src = url;
    video.play().catch(() => {});

    return {
        stop() {
            video.removeAttribute('src');
            video.load();
        },
        latency: () => ahead(video),
        speed: () => null,
    };
}


// media source extensions, which libraries feed

function fed() {
    return 'MediaSource' in window || 'ManagedMediaSource' in window;
}


function nativeHls() {
    return document.createElement('video')
        .canPlayType('application/vnd.apple.mpegurl') !== '';
}


export const kinds = [
    { id: 'flv', name: 'HTTP-FLV', suffix: '.flv', start: viaMpegts('flv'),
      able: fed },
    { id: 'ts', name: 'HTTP-TS', suffix: '.ts', start: viaMpegts('mpegts'),
      able: fed },
    { id: 'll', name: 'LL-HLS', suffix: '.m3u8', start: viaHls(true),
      feature: 'hls', able: fed },
    { id: 'hls', name: 'HLS', suffix: '.m3u8', start: viaHls(false),
      feature: 'hls', able: fed },
    { id: 'native', key: 'play.native', suffix: '.m3u8', start: native,
      feature: 'hls', able: nativeHls },
];


// those that the server and the browser have

export function kindsFor(features) {
    return kinds.filter(k => (!k.feature || features[k.feature])
                             && (!k.able || k.able()));
}


export function kindName(kind) {
    return kind.name || t(kind.key);
}


// the URL of a stream: { vhost, app, stream } are names

export function streamUrl({ vhost, app, stream }, suffix) {
    const query = vhostArgument(vhost);

    return place(encodePath(`${app}/${stream}`) + suffix
                 + (query ? `?${query}` : ''));
}
