// Copyright (C) the nginx media suite authors

// Dialogs, short messages, the clipboard and QR codes.

import { h, button, iconButton, select, field } from './dom.js';
import { t } from './text.js';
import { change } from './api.js';


const live = h('div', { class: 'toasts', role: 'status',
                        'aria-live': 'polite' });


export function toasts() {
    return live;
}


export function toast(text, bad) {
    const one = h('div', { class: bad ? 'toast bad' : 'toast' }, text);

    live.append(one);
    setTimeout(() => one.remove(), bad ? 8000 : 4000);
}


export function failed(e) {
    toast(e.message, true);
}


// A dialog; closed() is called once.  Focus goes back to where it was.

export function dialog(title, content, closed) {
    const box = h('dialog', { class: 'dialog', 'aria-label': title },
        h('header', {}, h('h2', {}, title),
          iconButton('close', t('close'), { onclick: () => box.close() })),
        content);

    box.addEventListener('close', () => {
        box.remove();
        closed?.();
    });

    box.addEventListener('click', e => {
        if (e.target === box) {
            box.close();
        }
    });

    document.body.append(box);
    box.showModal();

    return box;
}


// resolves to true where it was confirmed

export function confirm(title, text, label, ...more) {
    return new Promise(resolve => {
        let answer = false;

        const box = dialog(title, h('form', { method: 'dialog',
            onsubmit: e => {
                e.preventDefault();
                answer = true;
                box.close();
            } }, h('p', {}, text), more,
            h('footer', {}, button(t('cancel'), { onclick: () =>
                box.close() }),
              h('button', { class: 'danger', type: 'submit' }, label))),
            () => resolve(answer));

        box.querySelector('footer button').focus();
    });
}


// Closes a client, after a question

export async function kick(client, name) {
    let ban = '', by = 'both';

    const who = select(['both', 'address', 'name'].map(v =>
        [v, t(`kick.by.${v}`)]), by, v => by = v);
    const time = select(['', '60', '600', '3600', '86400'].map(v =>
        [v, t(`kick.ban.${v || 'none'}`)]), ban, v => {
            ban = v;
            who.disabled = !v;
        });

    who.disabled = true;

    const sure = await confirm(t('kick.title'), t('kick.text', { name,
        ip: client.ip, type: client.type }), t('kick'),
        h('div', { class: 'fields' }, field(t('kick.ban'), time),
          field(t('kick.by'), who)));

    if (!sure) {
        return false;
    }

    try {
        await change('DELETE', `clients/${encodeURIComponent(client.id)}`,
                     ban ? { ban, by } : null);
        toast(t('kick.done', { name }));
        return true;

    } catch (e) {
        failed(e);
        return false;
    }
}


export async function copy(text) {
    try {
        await navigator.clipboard.writeText(text);

    } catch {
        // without https there is only the old way

        const area = h('textarea', { class: 'unseen', value: text });

        (document.querySelector('dialog[open]') || document.body).append(area);
        area.select();
        document.execCommand('copy');
        area.remove();
    }

    toast(t('copied'));
}


// the library that draws QR codes, null where `make console` has not been run

let library;

export async function qrLibrary() {
    try {
        library ??= (await import('../vendor/qrcode.mjs')).qrcode;
    } catch {
        library = null;
    }

    return library;
}


export async function showQr(title, text) {
    const make = await qrLibrary();

    if (!make) {
        toast(t('vendor.none'), true);
        return;
    }

    const code = make(0, 'M');

    // one character for each byte of UTF-8

    code.addData(String.fromCharCode(...new TextEncoder().encode(text)),
                 'Byte');
    code.make();

    const n = code.getModuleCount();
    const quiet = 4;
    const size = Math.max(3, Math.floor(288 / (n + 2 * quiet)));
    const canvas = h('canvas', { class: 'qr', width: size * (n + 2 * quiet),
        height: size * (n + 2 * quiet), role: 'img', 'aria-label':
            t('qr.of', { what: text }) });
    const c = canvas.getContext('2d');

    c.fillStyle = '#fff';
    c.fillRect(0, 0, canvas.width, canvas.height);
    c.fillStyle = '#000';

    for (let y = 0; y < n; y++) {
        for (let x = 0; x < n; x++) {
            if (code.isDark(y, x)) {
                c.fillRect((x + quiet) * size, (y + quiet) * size, size, size);
            }
        }
    }

    dialog(title, [canvas, h('p', { class: 'mono break' }, text)]);
}


// a text to copy, with its QR code

export function copyable(label, text, { qr = true } = {}) {
    return h('div', { class: 'copyable' },
        h('span', { class: 'copy-label' }, label),
        h('code', { tabindex: '0' }, text),
        iconButton('copy', `${t('copy')}: ${label}`,
                   { onclick: () => copy(text) }),
        qr ? iconButton('qr', `${t('qr')}: ${label}`,
                        { onclick: () => showQr(label, text) })
           : h('span', { class: 'none' }));
}
