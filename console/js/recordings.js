// Copyright (C) the nginx media suite authors

// Recordings: a list, a look at one, a download, and a part of what there is
// as one file.

import { h, panel, field, fill, put, select } from './dom.js';
import { t } from './text.js';
import { change, encodePath, place, Listing } from './api.js';
import { state, listen, vhostArgument } from './state.js';
import { Table, actions } from './table.js';
import { bytes, date, duration } from './format.js';
import { filePlayer } from './player.js';
import { confirm, dialog, failed, toast } from './ui.js';
import { liveStreams } from './play.js';


function name(r) {
    return [r.vhost !== '__defaultVhost__' && r.vhost, r.app, r.stream]
        .filter(Boolean).join('/');
}


function fileUrl(r) {
    const query = vhostArgument(r.vhost);

    // it is escaped already

    return place(r.url + (query ? `?${query}` : ''));
}


function preview(r) {
    const player = filePlayer(fileUrl(r), r.format);

    dialog(`${name(r)} · ${date(r.begin)}`, [player.root,
        h('p', { class: 'mono break muted' }, r.file)],
        () => player.close()).classList.add('wide');
}


async function remove(r, table) {
    if (!await confirm(t('recording.delete'), t('recording.delete.text',
            { name: name(r), time: date(r.begin), size: bytes(r.bytes) }),
            t('delete')))
    {
        return;
    }

    try {
        await change('DELETE', `recordings/${encodeURIComponent(r.id)}`);
        toast(t('recording.deleted'));
    } catch (e) {
        failed(e);
    }

    table.refresh();
}


function columns(table) {
    return [
        { id: 'stream', title: 'stream', cls: 'main', text: name },
        { id: 'begin', title: 'recording.begin', cls: 'long',
          text: r => date(r.begin),
          value: r => r.begin, down: true },
        { id: 'duration', title: 'recording.duration', cls: 'num',
          text: r => duration(r.duration / 1000), value: r => r.duration,
          down: true },
        { id: 'bytes', title: 'recording.bytes', cls: 'num',
          text: r => bytes(r.bytes), value: r => r.bytes, down: true },
        { id: 'format', title: 'recording.format', text: r => r.format },
        { id: 'state', title: 'state', show(cell, r) {
            if (!cell.firstChild) {
                cell.append(h('span', {}));
            }
            cell.firstChild.className = `badge ${r.state}`;
            put(cell.firstChild, t(`recording.${r.state}`));
        } },
        { id: 'upload', title: 'recording.upload', text: r =>
            r.upload && r.upload !== 'none' ? t(`upload.${r.upload}`) : '–' },
        { id: 'do', title: 'actions', cls: 'end', hidden: true,
          show: (cell, r, item) => actions(cell, item, [
              { label: t('preview'), icon: 'play', act: preview },
              { label: t('download'), href: fileUrl, download: '' },
              { label: t('delete'), cls: 'danger quiet',
                off: !state.allowed.remove,
                act: row => remove(row, table()) }]) },
    ];
}


function local(epoch) {
    const d = new Date(epoch - new Date(epoch).getTimezoneOffset() * 60000);

    return d.toISOString().slice(0, 19);
}


// a part of what there is, as one MP4

function exporter(app, stream) {
    const at = Date.now();
    const vhost = select([...state.vhosts.values()].map(v =>
        [v.name, v.name]), '__defaultVhost__', () => {});
    const inputs = {
        app: h('input', { value: app || 'live', required: true }),
        stream: h('input', { value: stream, required: true }),
        from: h('input', { type: 'datetime-local', step: 1, required: true,
                           value: local(at - 3600000) }),
        to: h('input', { type: 'datetime-local', step: 1, required: true,
                         value: local(at) }),
    };

    return h('form', { class: 'fields', onsubmit: e => {
        e.preventDefault();

        const start = new Date(inputs.from.value).getTime();
        const end = new Date(inputs.to.value).getTime();

        if (!(end > start)) {
            toast(t('export.empty'), true);
            return;
        }

        const path = encodePath(`${inputs.app.value}/${inputs.stream.value}`);

        const query = [`start=${start}&end=${end}`,
                       vhostArgument(vhost.value)].filter(Boolean).join('&');

        h('a', { href: place(`${path}.mp4?${query}`), download: '' }).click();
    } },
    state.vhosts.size > 1 && field(t('publish.vhost'), vhost),
    field(t('publish.app'), inputs.app),
    field(t('publish.stream'), inputs.stream),
    field(t('export.from'), inputs.from), field(t('export.to'), inputs.to),
    h('div', { class: 'field' }, h('button', { type: 'submit' },
        t('export.do'))));
}


export default {
    open(root, { query }) {
        if (!state.features.dvr) {
            root.append(panel(null, h('p', { class: 'empty' },
                t('recordings.off')), h('p', { class: 'muted' },
                t('recordings.how'))));
            return () => {};
        }

        const app = query.get('app') || '', stream = query.get('stream') || '';
        const filter = new URLSearchParams();

        if (stream) {
            filter.set('app', app);
            filter.set('stream', stream);
        }

        const path = filter.size ? `recordings/?${filter}` : 'recordings/';
        const table = new Table({ name: t('recordings'), key: r => r.id,
            empty: 'recordings.none', columns: columns(() => table),
            listing: new Listing(path, 'recordings'),
            match: r => [name(r), r.file, r.format, r.id].join(' ') });

        const names = h('datalist', { id: 'names' });
        const of = h('input', { list: 'names', autocomplete: 'off',
            placeholder: t('recordings.all'),
            value: stream ? `${app}/${stream}` : '', onchange: () => {
                const parts = of.value.split('/');
                const last = parts.pop();

                location.hash = last ? `#/recordings?${new URLSearchParams({
                    app: parts.join('/') || 'live', stream: last })}`
                    : '#/recordings';
            } });

        liveStreams().then(all => fill(names, all.map(s =>
            h('option', { value: `${s.app}/${s.stream}` }))), () => {});

        const end = listen((what, e) => {
            if (what === 'event' && /^record/.test(e.event)) {
                table.refresh();
            }
        });

        root.append(panel(null, h('div', { class: 'fields filter' },
            field(t('recordings.of'), of), names), table.root),
            panel(t('export'), h('p', { class: 'muted' }, t('export.text')),
                exporter(app, stream)));

        return () => {
            end();
            table.close();
        };
    },
};
