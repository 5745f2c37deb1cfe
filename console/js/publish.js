// Copyright (C) the nginx media suite authors

// What an encoder and a player have to be told.  A protocol is another entry
// of `ways` or `players`.

import { h, fill, panel, field, icon } from './dom.js';
import { t } from './text.js';
import { base, encodePath } from './api.js';
import { state, vhostArgument } from './state.js';
import { kindName, kindsFor, streamUrl } from './players.js';
import { copyable } from './ui.js';
import { recall, remember } from './memory.js';
import { query } from './columns.js';


// a word of a shell

export function quote(text) {
    return /^[\w@%+=:,./-]+$/.test(text) ? text
        : `'${text.replace(/'/g, "'\\''")}'`;
}


function withQuery(url, ...parts) {
    const all = parts.filter(Boolean).join('&');

    return all ? `${url}?${all}` : url;
}


function rtmp(x) {
    const port = x.port === '1935' || !x.port ? '' : `:${x.port}`;
    const host = x.host.includes(':') && !x.host.startsWith('[')
        ? `[${x.host}]` : x.host;

    return `rtmp://${host}${port}`;
}


function http(x, path) {
    const url = new URL(path, base);

    url.hostname = x.host.includes(':') && !x.host.startsWith('[')
        ? `[${x.host}]` : x.host;

    return url;
}


// the stream id says all; arguments are keys of it

function srt(x, mode) {
    const host = x.host.includes(':') && !x.host.startsWith('[')
        ? `[${x.host}]` : x.host;
    const vhost = x.vhost && x.vhost !== '__defaultVhost__' && `h=${x.vhost}`;
    const args = mode === 'publish' && x.args.replace(/^\?/, '')
        .split('&').filter(Boolean).join(',');
    const id = [`r=${x.app}/${x.stream}`, `m=${mode}`, vhost, args]
        .filter(Boolean).join(',');

    return `srt://${host}:${x.srt || 10080}?streamid=#!::`
        + id.replace(/[^\w.,:/=-]/gu, encodeURIComponent);
}


// [{ title, feature, note, rows(x): [[label, text, qr]] }]

const ways = [
    { title: 'publish.obs', rows: x => [
        [t('publish.server'), `${rtmp(x)}/${x.app}`],
        [t('publish.key'), withQuery(x.stream, vhostArgument(x.vhost),
                                     x.args)]] },
    { title: 'publish.ffmpeg', rows: x => [
        ['RTMP', `ffmpeg -re -i video.mp4 -c copy -f flv ${quote(
            withQuery(`${rtmp(x)}/${x.app}/${x.stream}`,
                      vhostArgument(x.vhost), x.args))}`, false]] },
    { title: 'publish.srt', feature: 'srt', note: 'publish.srt.note',
      rows: x => [
          [t('publish.server'), srt(x, 'publish')],
          ['ffmpeg', `ffmpeg -re -i video.mp4 -c copy -f mpegts ${
              quote(srt(x, 'publish'))}`, false]] },
    { title: 'publish.http', feature: 'caster', note: 'publish.http.note',
      rows: x => {
          const url = suffix => quote(withQuery(http(x,
              `push/${encodePath(`${x.app}/${x.stream}`)}${suffix}`).href,
              vhostArgument(x.vhost), x.args));

          return [
              ['FLV', `ffmpeg -re -i video.mp4 -c copy -f flv -method POST ${
                  url('.flv')}`, false],
              ['MPEG-TS', `ffmpeg -re -i video.mp4 -c copy -f mpegts `
                  + `-method POST ${url('.ts')}`, false]];
      } },
];


const players = [
    { name: 'RTMP', url: x => withQuery(`${rtmp(x)}/${x.app}/${x.stream}`,
                                        vhostArgument(x.vhost)) },
    { name: 'SRT', feature: 'srt', url: x => srt(x, 'request') },
    { name: 'HTTP-FLV', suffix: '.flv' },
    { name: 'HTTP-TS', suffix: '.ts' },
    { name: 'HLS', suffix: '.m3u8', feature: 'hls' },
    { name: 'DASH', suffix: '.mpd', feature: 'hls' },
    { name: 'WebSocket-FLV', suffix: '.flv', ws: true },
    { name: 'AAC', suffix: '.aac' },
    { name: 'MP3', suffix: '.mp3' },
];


function playUrl(x, player) {
    if (player.url) {
        return player.url(x);
    }

    const url = http(x, streamUrl(x, player.suffix));

    if (player.ws) {
        url.protocol = url.protocol === 'https:' ? 'wss:' : 'ws:';
    }

    return url.href;
}


function has(one) {
    return !one.feature || state.features[one.feature];
}


export default {
    open(root, arg) {
        const x = {
            host: recall('host') || base.hostname.replace(/^\[|\]$/g, ''),
            port: recall('rtmp-port') || '1935',
            srt: recall('srt-port') || '10080',
            vhost: arg.query.get('vhost') || '',
            app: arg.query.get('app') || recall('app') || 'live',
            stream: arg.query.get('stream') || recall('stream')
                || 'livestream',
            args: '',
        };
        const out = h('div', { class: 'ways' });

        const input = (name, kept, props) => h('input', { value: x[name],
            autocomplete: 'off', spellcheck: 'false', ...props,
            oninput: e => {
                x[name] = e.target.value.trim();
                if (kept) {
                    remember(kept, x[name] || null);
                }
                show();
            } });

        const vhosts = h('select', { onchange: () => {
            x.vhost = vhosts.value;
            show();
        } }, [...state.vhosts.values()].map(v =>
            h('option', { value: v.name }, v.name)));

        vhosts.value = x.vhost || '__defaultVhost__';

        function show() {
            fill(out, h('div', { class: 'stack' },
                ways.filter(has).map(w => panel(t(w.title),
                    w.note && h('p', { class: 'muted' }, t(w.note)),
                    w.rows(x).map(([label, text, qr]) =>
                        copyable(label, text, { qr: qr !== false }))))),
                h('div', { class: 'stack' },
                    panel(t('publish.play'), players.filter(has).map(p =>
                        copyable(p.name, playUrl(x, p)))),
                    panel(t('publish.watch'), h('div', { class: 'row' },
                        kindsFor(state.features).map(k => h('a',
                            { class: 'button', href: `#/play?${query({
                                vhost: x.vhost, app: x.app, stream: x.stream,
                                kind: k.id })}` }, icon('play'),
                            h('span', {}, kindName(k))))))));
        }

        root.append(panel(t('publish.what'), h('div', { class: 'fields' },
            field(t('publish.app'), input('app', 'app')),
            field(t('publish.stream'), input('stream', 'stream')),
            field(t('publish.args'), input('args', null,
                { placeholder: 'token=…' }), t('publish.args.hint')),
            state.vhosts.size > 1 && field(t('publish.vhost'), vhosts),
            field(t('publish.host'), input('host', 'host')),
            field(t('publish.port'), input('port', 'rtmp-port',
                { inputmode: 'numeric' })),
            state.features.srt && field(t('publish.srt.port'),
                input('srt', 'srt-port', { inputmode: 'numeric' })))), out);
        show();

        return () => {};
    },
};
