// Copyright (C) the nginx media suite authors

// A table whose rows stay where they are: each has a key, and only what has
// changed is written.  Searching, sorting and pages are its own; the rows come
// from `read`, see Listing in api.js.

import { h, put, fill, button, icon, select } from './dom.js';
import { t } from './text.js';
import { count } from './format.js';
import { poll, ApiError } from './api.js';


const SIZE = 50;


// columns: { id, title, text(row), show(cell, row), value(row), cls }; show
// instead of text where a cell is more than a text, value where it sorts

export class Table {

    constructor({ name, columns, key, empty, sort, listing, match, every,
                  size = SIZE, search = true, rows })
    {
        Object.assign(this, { name, columns, key, empty, listing, match, size,
                              sort: sort || '', first: sort || '' });
        this.given = rows;
        this.desc = false;
        this.query = '';
        this.page = 0;
        this.items = new Map();

        this.body = h('tbody', { role: 'rowgroup' });
        this.heads = columns.map(c => this.head(c));
        this.note = h('p', { class: 'empty', hidden: true });
        this.total = h('span', { class: 'total', role: 'status' });
        this.table = h('table', { role: 'table', 'aria-label': name },
            h('thead', { role: 'rowgroup' }, h('tr', { role: 'row' },
                this.heads)), this.body);

        this.root = h('div', { class: 'listing' }, search && this.tools(),
                      h('div', { class: 'scroll' }, this.table), this.note,
                      search && this.pages());

        if (listing) {
            this.poll = poll(signal => this.load(signal),
                every || (() => listing.every(this.whole())));
        }
    }

    close() {
        this.poll?.stop();
    }

    refresh() {
        this.poll?.now();
    }

    head(column) {
        const title = t(column.title);

        if (!column.value) {
            return h('th', { role: 'columnheader', scope: 'col',
                             class: column.cls },
                     column.hidden ? h('span', { class: 'unseen' }, title)
                         : title);
        }

        return h('th', { role: 'columnheader', scope: 'col',
                         class: column.cls },
                 h('button', { type: 'button', class: 'sort',
                               onclick: () => this.order(column.id) },
                   title, h('i', { 'aria-hidden': 'true' })));
    }

    tools() {
        this.input = h('input', { type: 'search', placeholder: t('search'),
            'aria-label': t('search'), autocomplete: 'off',
            oninput: () => {
                this.query = this.input.value.trim().toLowerCase();
                this.page = 0;
                this.refresh();
                this.render();
            } });

        const sorts = this.columns.filter(c => c.value);

        this.sorter = select([['', t('sort.none')],
            ...sorts.map(c => [c.id, t(c.title)])], this.sort,
            value => this.order(value));
        this.sorter.classList.add('sorter');
        this.sorter.hidden = !sorts.length;
        this.sorter.setAttribute('aria-label', t('sort.by'));

        return h('div', { class: 'tools' }, this.input, this.sorter,
                 this.total);
    }

    pages() {
        const go = step => {
            this.page += step;
            this.refresh();

            if (this.all) {
                this.render();
            }
        };

        this.back = button(t('page.back'), { onclick: () => go(-1) });
        this.next = button(t('page.next'), { onclick: () => go(1) });
        this.range = h('span', {});

        return this.pager = h('nav', { class: 'pager', hidden: true,
            'aria-label': t('page.pages') }, this.back, this.range, this.next);
    }

    order(id) {
        this.desc = id === this.sort ? !this.desc
            : this.columns.find(c => c.id === id)?.down || false;
        this.sort = id;
        this.page = 0;

        if (this.sorter) {
            this.sorter.value = id;
        }

        this.refresh();
        this.render();
    }

    // is everything needed?

    whole() {
        return this.query !== '' || this.sort !== this.first || this.desc;
    }

    async load(signal) {
        const page = this.page;

        try {
            const { rows, whole } = await this.listing.read({
                start: page * this.size, count: this.size,
                search: this.whole(), signal });

            // another page may have been turned to meanwhile

            if (whole || page === this.page) {
                this.set(rows, whole);
            }

        } catch (e) {
            if (e instanceof ApiError && !this.rows) {
                this.note.hidden = false;
                put(this.note, e.message);
            }

            throw e;
        }
    }

    set(rows, whole = true) {
        this.rows = rows;
        this.all = whole;
        this.render();
    }

    // what of the rows is on this page

    seen() {
        if (!this.all) {
            this.found = this.listing.total;
            return this.rows.slice(0, this.size);
        }

        let rows = this.rows;
        const column = this.columns.find(c => c.id === this.sort);

        if (this.query) {
            rows = rows.filter(r =>
                this.match(r).toLowerCase().includes(this.query));
        }

        if (column) {
            const side = this.desc ? -1 : 1;

            rows = rows.map(r => [column.value(r), r]).sort(([a], [b]) =>
                side * (a < b ? -1 : a > b ? 1 : 0)).map(([, r]) => r);
        }

        this.found = rows.length;
        this.page = Math.min(this.page,
            Math.max(0, Math.ceil(rows.length / this.size) - 1));

        return rows.slice(this.page * this.size,
                          (this.page + 1) * this.size);
    }

    render() {
        if (!this.rows) {
            return;
        }

        const rows = this.seen();
        const keys = new Set(rows.map(this.key));

        for (const [key, item] of this.items) {
            if (!keys.has(key)) {
                item.tr.remove();
                this.items.delete(key);
            }
        }

        let at = this.body.firstChild;

        for (const row of rows) {
            const item = this.item(row);

            if (item.tr === at) {
                at = at.nextSibling;
            } else {
                this.body.insertBefore(item.tr, at);
            }
        }

        this.words(rows.length);
    }

    item(row) {
        const key = this.key(row);
        let item = this.items.get(key);

        if (!item) {
            const cells = this.columns.map(c => h('td', { role: 'cell',
                class: c.cls, 'data-label': c.hidden ? null : t(c.title) }));

            item = { cells, tr: h('tr', { role: 'row' }, cells) };
            this.items.set(key, item);
        }

        item.row = row;

        this.columns.forEach((c, i) => c.show
            ? c.show(item.cells[i], row, item) : put(item.cells[i],
                                                     c.text(row)));

        return item;
    }

    words(shown) {
        const from = this.page * this.size;

        this.heads.forEach((th, i) => {
            const column = this.columns[i];

            if (column.value) {
                th.setAttribute('aria-sort', column.id !== this.sort ? 'none'
                    : this.desc ? 'descending' : 'ascending');
            }
        });

        this.table.hidden = !shown;
        this.note.hidden = shown > 0;
        put(this.note, this.query ? t('search.nothing') : t(this.empty));
        put(this.total, t('total', { n: count(this.found) }));

        if (this.pager) {
            this.pager.hidden = this.found <= this.size;
            this.back.disabled = this.page === 0;
            this.next.disabled = from + shown >= this.found;
            put(this.range, t('page.range', { from: count(from + 1),
                to: count(from + shown), total: count(this.found) }));
        }
    }
}


// a cell with a link

export function link(cell, text, href) {
    let a = cell.firstElementChild;

    if (!a) {
        a = h('a', {});
        cell.append(a);
    }

    put(a, text);

    if (a.getAttribute('href') !== href) {
        a.setAttribute('href', href);
    }
}


// a cell with buttons: [{ icon, label, act(row), off }]; they see the newest
// row

export function actions(cell, item, list) {
    if (cell.firstChild) {
        return;
    }

    fill(cell, h('div', { class: 'actions' }, list.map(one => one.href
        ? h('a', { class: 'button', href: one.href(item.row),
                   download: one.download }, one.icon && icon(one.icon),
            h('span', {}, one.label))
        : button(one.label, { class: one.cls, disabled: one.off,
                              title: one.off ? t('denied') : null,
                              onclick: () => one.act(item.row) }, one.icon))));
}
