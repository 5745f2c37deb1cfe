// Copyright (C) the nginx media suite authors

// The frame of the console: navigation, language, light and dark, and which
// page is open.  Each page has open(root, arguments), which gives a function
// that ends it.

import { h, fill, put, icon, select } from './dom.js';
import { t, language, languages, setLanguage } from './text.js';
import { recall, remember } from './memory.js';
import { state, start, ready, listen } from './state.js';
import { toasts } from './ui.js';
import overview from './overview.js';
import streams from './streams.js';
import stream from './stream.js';
import clients from './clients.js';
import recordings from './recordings.js';
import publish from './publish.js';
import play from './play.js';


const pages = { overview, streams, clients, recordings, publish, play };
const themes = ['auto', 'light', 'dark'];

let theme = recall('theme');
let close = null, turn = 0;
let main, heading, links, lamp, notice;


function setTheme(name) {
    theme = themes.includes(name) ? name : 'auto';

    if (theme === 'auto') {
        document.documentElement.removeAttribute('data-theme');
    } else {
        document.documentElement.dataset.theme = theme;
    }
}


// the page and its arguments, of #/streams/ID?a=b

function route() {
    const [path, query] = location.hash.replace(/^#\/?/, '').split('?');
    const [name, ...rest] = path.split('/');
    const page = Object.hasOwn(pages, name) ? name : 'overview';

    let id = rest.join('/');

    try {
        id = decodeURIComponent(id);
    } catch {
        // it stays as it is
    }

    return { page, id, query: new URLSearchParams(query || '') };
}


async function show(focus) {
    const mine = ++turn;
    const { page, id, query } = route();

    close?.();
    close = null;

    for (const [name, link] of Object.entries(links)) {
        if (name === page) {
            link.setAttribute('aria-current', 'page');
        } else {
            link.removeAttribute('aria-current');
        }
    }

    title(t(page));
    fill(main, h('p', { class: 'empty' }, t('loading')));

    await ready();

    if (mine !== turn) {
        return;
    }

    fill(main);
    close = (page === 'streams' && id ? stream : pages[page])
        .open(main, { id, query, title });

    if (focus) {
        heading.focus();
        scrollTo(0, 0);
    }
}


function title(text) {
    put(heading, text);
    document.title = `${text} – nginx media`;
}


// what stands above every page: no connection, no changes

function words() {
    const offline = state.online === false;
    const readonly = state.features && !state.allowed.remove;

    lamp.className = offline ? 'lamp off' : 'lamp';
    lamp.title = t(offline ? 'offline' : 'online');
    put(lamp.firstChild, lamp.title);
    notice.hidden = !offline && !readonly;
    notice.className = offline ? 'notice bad' : 'notice';
    put(notice, offline ? t('offline.text') : t('readonly'));
}


function frame() {
    document.documentElement.lang = language() === 'zh' ? 'zh-CN' : 'en';

    links = Object.fromEntries(Object.keys(pages).map(name => [name,
        h('a', { href: `#/${name}` }, icon(name), h('span', {}, t(name)))]));

    const languageBox = select(Object.entries(languages), language(), value => {
        setLanguage(value);
        frame();
        document.getElementById('language').focus();
    });

    languageBox.id = 'language';
    languageBox.setAttribute('aria-label', t('language'));

    const themeBox = select(themes.map(v => [v, t(`theme.${v}`)]), theme,
        value => {
            setTheme(value);
            remember('theme', value);
        });

    themeBox.id = 'theme';
    themeBox.setAttribute('aria-label', t('theme'));

    heading = h('h1', { tabindex: '-1' });
    main = h('main', { id: 'main' });
    lamp = h('span', { class: 'lamp' }, h('span', { class: 'unseen' }));
    notice = h('p', { class: 'notice', role: 'status', hidden: true });

    fill(document.body,
        h('a', { class: 'skip', href: '#main', onclick: e => {
            e.preventDefault();
            heading.focus();
        } }, t('skip')),
        h('nav', { class: 'menu', 'aria-label': t('menu') },
            h('a', { class: 'brand', href: '#/overview', tabindex: '-1',
                     'aria-hidden': 'true' },
              h('img', { src: 'icon.svg', alt: '', width: 24, height: 24 }),
              h('span', {}, 'nginx media')),
            Object.values(links)),
        h('div', { class: 'page' },
            h('header', { class: 'top' }, heading, lamp,
                h('div', { class: 'choices' }, languageBox, themeBox)),
            notice, main),
        toasts());

    words();
    show(false);
}


setTheme(theme);
frame();
start();
listen(what => what !== 'event' && words());
addEventListener('hashchange', () => show(true));
