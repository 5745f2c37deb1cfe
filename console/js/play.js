// Copyright (C) the nginx media suite authors

// The players: a stream and a kind are chosen, both stand in the address.

import { h, fill, panel, field } from './dom.js';
import { t } from './text.js';
import { api } from './api.js';
import { state, vhostName, listen } from './state.js';
import { Player } from './player.js';
import { kindsFor, kindName, streamUrl } from './players.js';
import { query } from './columns.js';
import { copyable } from './ui.js';


export async function liveStreams() {
    const json = await api('streams/?count=1000');

    return json.streams.filter(s => s.publish.active).map(s =>
        ({ vhost: vhostName(s.vhost), app: s.app, stream: s.name }));
}


export function sameStream(a, b) {
    return a.app === b.app && a.stream === b.stream
        && (a.vhost || '') === (b.vhost || '');
}


export default {
    open(root, arg) {
        const kinds = kindsFor(state.features);
        const wanted = arg.query;
        const kind = kinds.find(k => k.id === wanted.get('kind')) || kinds[0];
        const names = wanted.get('stream') && {
            vhost: wanted.get('vhost') || '', app: wanted.get('app') || 'live',
            stream: wanted.get('stream') };
        let player = null, streams = [];

        const go = values => {
            location.hash = `#/play?${query({ ...names, kind: kind.id,
                                              ...values })}`;
        };

        const choice = h('select', { onchange: () =>
            go(streams[choice.value]) });
        const none = h('p', { class: 'empty' }, t('play.none'));

        const tabs = h('fieldset', { class: 'segments' },
            h('legend', { class: 'unseen' }, t('play.kind')),
            kinds.map(k => h('label', {},
                h('input', { type: 'radio', name: 'kind', value: k.id,
                    checked: k === kind, onchange: () =>
                        go({ kind: k.id }) }),
                h('span', {}, kindName(k)))));

        const list = async () => {
            streams = await liveStreams();

            if (names && !streams.some(s => sameStream(s, names))) {
                streams.unshift(names);
            }

            fill(choice, !names && h('option', { value: '' }, t('choose')),
                streams.map((s, i) => h('option', { value: i },
                    [s.vhost !== '__defaultVhost__' && s.vhost, s.app,
                     s.stream].filter(Boolean).join('/'))));
            choice.value = names ? String(streams.findIndex(s =>
                sameStream(s, names))) : '';
        };

        root.append(panel(null, h('div', { class: 'row' },
            field(t('stream'), choice), tabs)));

        if (names) {
            const url = streamUrl(names, kind.suffix);

            player = new Player(names, kind);
            root.append(panel(null, player.root,
                              copyable(kindName(kind), url)));
        } else {
            root.append(none);
        }

        list().catch(() => {});

        const end = listen((what, e) => {
            if (what === 'event' && /publish/.test(e.event)) {
                list().catch(() => {});
            }
        });

        return () => {
            end();
            player?.close();
        };
    },
};
