// Copyright (C) the nginx media suite authors

// All clients.

import { panel } from './dom.js';
import { t } from './text.js';
import { listen, state } from './state.js';
import { Listing } from './api.js';
import { Table, actions } from './table.js';
import { clientColumns } from './columns.js';
import { kick } from './ui.js';


export function clientTable({ path, columns, search, size, every }) {
    const table = new Table({
        name: t('clients'), empty: 'clients.none', key: c => c.id, search,
        size, every, listing: new Listing(path, 'clients'),
        columns: [...clientColumns(columns),
            { id: 'do', title: 'actions', cls: 'end', hidden: true,
              show: (cell, c, item) => actions(cell, item, [{
                  label: t('kick'), cls: 'danger quiet',
                  off: !state.allowed.remove,
                  act: async row => await kick(row, row.url)
                      && table.refresh() }]) }],
        match: c => [c.ip, c.id, c.type, c.url, c.worker, c.tcUrl].join(' '),
    });

    return table;
}


export default {
    open(root) {
        const table = clientTable({ path: 'clients/', columns: ['ip', 'id',
            'type', 'stream', 'alive', 'rate', 'bytes', 'lag', 'dropped',
            ...state.features.srt ? ['rtt', 'loss', 'again'] : [],
            'worker'] });
        const end = listen((what, e) => {
            if (what === 'event' && /^(publish|unpublish|play|stop)$/
                .test(e.event) && table.listing.total < 200)
            {
                table.refresh();
            }
        });

        root.append(panel(null, table.root));

        return () => {
            end();
            table.close();
        };
    },
};
