// Copyright (C) the nginx media suite authors

// All streams.

import { panel } from './dom.js';
import { t } from './text.js';
import { listen, state, unknownVhost, vhostName } from './state.js';
import { Listing } from './api.js';
import { Table } from './table.js';
import { audio, video } from './format.js';
import { streamColumns, streamKey } from './columns.js';


export default {
    open(root) {
        const table = new Table({
            name: t('streams'), empty: 'streams.none', key: streamKey,
            columns: streamColumns(['name', 'state', 'video', 'audio',
                'clients', 'recv', 'send', 'dropped', 'memory']),
            listing: new Listing('streams/', 'streams'),
            match: s => [s.url, vhostName(s.vhost), s.id, video(s.video),
                         audio(s.audio)].join(' '),
        });

        const end = listen((what, e) => {
            if (what === 'event' && /publish/.test(e.event)) {
                table.refresh();
            }

            if (table.rows?.some(s => !state.vhosts.has(s.vhost))) {
                unknownVhost();
            }
        });

        root.append(panel(null, table.root));

        return () => {
            end();
            table.close();
        };
    },
};
