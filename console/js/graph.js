// Copyright (C) the nginx media suite authors

// A graph of some series over time, in SVG.  Its elements are made once; new
// values change paths and texts only.

import { h, s, put } from './dom.js';
import { t } from './text.js';


const LEFT = 66, RIGHT = 8, TOP = 8, BOTTOM = 20, HEIGHT = 150;

const WINDOWS = [30, 60, 120];


// 1, 2 or 5 times a power of ten, or a power of two, so that lines are at
// round values

function nice(value, binary) {
    if (binary) {
        return 2 ** Math.ceil(Math.log2(value));
    }

    const power = 10 ** Math.floor(Math.log10(value));
    const first = value / power;

    return (first <= 1 ? 1 : first <= 2 ? 2 : first <= 5 ? 5 : 10) * power;
}


// 2.50 MB is 2.5 MB beside a line

function short(text) {
    return text.replace(/\.0+(?=\D|$)|(\.\d*?)0+(?=\D|$)/, '$1');
}


export class Graph {

    // series: [{ name, cls }], format: value -> text, seconds: what it shows
    // at most, less where there is less,
    // least: the smallest maximum, binary: of bytes

    constructor({ title, series, format, seconds, least = 1, binary }) {
        this.binary = binary;
        this.series = series;
        this.format = format;
        this.seconds = seconds;
        this.least = least;
        this.points = [];
        this.width = 320;

        this.lines = [0, 0.5, 1].map(() => s('line', { class: 'grid' }));
        this.marks = [0, 0.5, 1].map(() => s('text', { class: 'mark y' }));
        this.from = s('text', { class: 'mark' });
        this.to = s('text', { class: 'mark x-end' });
        this.areas = series.map(({ cls }) => s('path',
            { class: `area ${cls}` }));
        this.paths = series.map(({ cls }) => s('path',
            { class: `line ${cls}` }));
        this.cursor = s('line', { class: 'cursor', visibility: 'hidden' });

        this.svg = s('svg', { class: 'plot', role: 'img', height: HEIGHT },
            ...this.lines, ...this.areas, ...this.paths, this.cursor,
            ...this.marks, this.from, this.to);

        this.values = series.map(() => h('b', {}));
        this.legend = h('div', { class: 'legend' },
            series.map(({ name, cls }, i) => h('span', { class: cls },
                h('i', { 'aria-hidden': 'true' }), name, ' ',
                this.values[i])));

        this.title = title;
        this.root = h('figure', { class: 'graph' },
            h('figcaption', {}, h('h2', {}, title), this.legend), this.svg);

        this.svg.addEventListener('pointermove', e => this.point(e));
        this.svg.addEventListener('pointerleave', () => this.point(null));

        this.watch = new ResizeObserver(([entry]) => {
            this.width = Math.max(160, entry.contentRect.width);
            this.draw();
        });
        this.watch.observe(this.root);
    }

    close() {
        this.watch.disconnect();
    }

    // points: [{ time: ms, values: [] }], the oldest first

    set(points) {
        this.points = points;
        this.draw();
    }

    x(time) {
        const end = this.points.length ? this.points.at(-1).time : 0;
        const share = 1 - (end - time) / (this.window * 1000);

        return LEFT + share * (this.width - LEFT - RIGHT);
    }

    y(value) {
        return TOP + (1 - value / this.top) * (HEIGHT - TOP - BOTTOM);
    }

    draw() {
        const end = this.points.length ? this.points.at(-1).time : 0;
        const span = end - (this.points.length ? this.points[0].time : 0);

        this.window = WINDOWS.find(w => w < this.seconds && span <= w * 1000)
            || this.seconds;

        const shown = this.points.filter(p =>
            p.time >= end - this.window * 1000);
        const floor = HEIGHT - BOTTOM;

        this.shown = shown;
        this.top = nice(Math.max(this.least,
            ...shown.map(p => Math.max(...p.values))), this.binary);

        this.svg.setAttribute('width', this.width);
        this.svg.setAttribute('viewBox', `0 0 ${this.width} ${HEIGHT}`);

        [0, 0.5, 1].forEach((share, i) => {
            const y = this.y(this.top * share);
            const line = this.lines[i];

            line.setAttribute('x1', LEFT);
            line.setAttribute('x2', this.width - RIGHT);
            line.setAttribute('y1', y);
            line.setAttribute('y2', y);

            this.marks[i].setAttribute('x', LEFT - 8);
            this.marks[i].setAttribute('y', y + 4);
            put(this.marks[i], short(this.format(this.top * share)));
        });

        this.from.setAttribute('x', LEFT);
        this.from.setAttribute('y', HEIGHT - 4);
        put(this.from, t('graph.ago', { n: this.window >= 120
            ? `${Math.round(this.window / 60)} min` : `${this.window} s` }));
        this.to.setAttribute('x', this.width - RIGHT);
        this.to.setAttribute('y', HEIGHT - 4);
        put(this.to, t('graph.now'));

        this.series.forEach((one, i) => {
            const at = shown.map(p => `${this.x(p.time).toFixed(1)} `
                + `${this.y(p.values[i]).toFixed(1)}`);

            this.paths[i].setAttribute('d', at.length ? `M${at.join('L')}`
                : '');
            this.areas[i].setAttribute('d', at.length > 1
                ? `M${this.x(shown[0].time).toFixed(1)} ${floor}L`
                  + `${at.join('L')}L${this.x(end).toFixed(1)} ${floor}Z` : '');
        });

        this.svg.dataset.points = shown.length;
        this.tell(shown.at(-1));
    }

    tell(point) {
        this.series.forEach((one, i) => put(this.values[i],
            point ? this.format(point.values[i]) : '–'));

        const text = this.series.map((one, i) => `${one.name} `
            + (point ? this.format(point.values[i]) : '–')).join(', ');

        this.svg.setAttribute('aria-label', `${this.title}: ${text}`);
    }

    // what was at the pointer

    point(e) {
        const shown = this.shown || [];

        if (!e || !shown.length) {
            this.cursor.setAttribute('visibility', 'hidden');
            this.tell(shown.at(-1));
            return;
        }

        const x = e.clientX - this.svg.getBoundingClientRect().left;
        const near = shown.reduce((a, b) =>
            Math.abs(this.x(b.time) - x) < Math.abs(this.x(a.time) - x)
                ? b : a);

        this.cursor.setAttribute('visibility', 'visible');
        this.cursor.setAttribute('x1', this.x(near.time));
        this.cursor.setAttribute('x2', this.x(near.time));
        this.cursor.setAttribute('y1', TOP);
        this.cursor.setAttribute('y2', HEIGHT - BOTTOM);
        this.tell(near);
    }
}
