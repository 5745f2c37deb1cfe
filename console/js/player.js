// Copyright (C) the nginx media suite authors

// A video with one of the players of players.js, and how it is doing.

import { h, put, button } from './dom.js';
import { t } from './text.js';
import { bits, count, ms } from './format.js';
import { ahead, native, streamUrl, viaMpegts } from './players.js';
import { listen } from './state.js';


const facts = ['latency', 'buffer', 'fps', 'dropped', 'size', 'speed',
               'stalls'];


export class Player {

    constructor(stream, kind) {
        this.stream = stream;
        this.kind = kind;
        this.video = h('video', { controls: true, muted: true,
            playsinline: true, 'aria-label': t('play.video',
                { name: `${stream.app}/${stream.stream}` }) });
        this.word = h('p', {});
        this.over = h('div', { class: 'over', role: 'status', hidden: true },
            this.word, button(t('play.again'), { onclick: () =>
                this.start() }, 'play'));

        this.values = Object.fromEntries(facts.map(f =>
            [f, h('dd', {}, '–')]));
        this.root = h('div', { class: 'player' }, h('div', { class: 'beside' },
            h('div', { class: 'screen' }, this.video, this.over),
            h('dl', { class: 'facts' }, facts.map(f => h('div', {},
                h('dt', {}, t(`play.${f}`)), this.values[f])))));

        this.video.addEventListener('waiting', () => {
            if (this.video.currentTime > 1) {
                this.stalls++;
            }
        });

        this.timer = setInterval(() => this.measure(), 1000);
        this.unlisten = listen((what, e) => {
            if (what === 'event' && e.event === 'publish' && !this.over.hidden
                && e.app === stream.app && e.stream === stream.stream)
            {
                setTimeout(() => this.start(), 1000);
            }
        });

        this.start();
    }

    async start() {
        const turn = this.turn = {};

        this.stop();
        this.over.hidden = true;
        this.stalls = 0;
        this.before = null;

        const say = text => {
            if (this.turn === turn) {
                put(this.word, text);
                this.over.hidden = false;
            }
        };

        try {
            const player = await this.kind.start(this.video,
                streamUrl(this.stream, this.kind.suffix), say);

            if (this.turn === turn) {
                this.player = player;
            } else {
                player.stop();
            }

        } catch (e) {
            say(e.message);
        }
    }

    stop() {
        this.player?.stop();
        this.player = null;
    }

    close() {
        this.turn = null;
        clearInterval(this.timer);
        this.unlisten();
        this.stop();
    }

    measure() {
        const { video, values, player } = this;

        if (!player) {
            return;
        }

        const quality = video.getVideoPlaybackQuality();
        const now = performance.now();
        const before = this.before;
        const latency = player.latency();
        const speed = player.speed();

        this.before = { now, total: quality.totalVideoFrames };

        put(values.latency, latency === null ? '–' : ms(latency * 1000));
        put(values.buffer, ms(ahead(video) * 1000));
        put(values.fps, before ? Math.max(0, (quality.totalVideoFrames
            - before.total) * 1000 / (now - before.now)).toFixed(0) : '–');
        put(values.dropped, `${count(quality.droppedVideoFrames)} / `
            + count(quality.totalVideoFrames));
        put(values.size, video.videoWidth
            ? `${video.videoWidth}×${video.videoHeight}` : '–');
        put(values.speed, speed === null ? '–' : bits(speed));
        put(values.stalls, count(this.stalls));
    }
}


// a file: gives { root, close() }

export function filePlayer(url, format) {
    const video = h('video', { controls: true, playsinline: true });
    const word = h('p', { class: 'empty', role: 'status', hidden: true });
    const start = format === 'flv' ? viaMpegts('flv', false)
        : format === 'ts' ? viaMpegts('mpegts', false) : native;
    let player, gone = false;

    const say = text => {
        put(word, text);
        word.hidden = false;
    };

    start(video, url, say).then(p => {
        player = p;

        if (gone) {
            p.stop();
        }
    }, e => say(e.message));

    return {
        root: h('div', { class: 'player' }, h('div', { class: 'screen' },
            video), word),
        close() {
            gone = true;
            player?.stop();
        },
    };
}
