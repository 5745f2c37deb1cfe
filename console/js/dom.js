// Copyright (C) the nginx media suite authors

// Elements without markup: whatever comes from the network becomes text or the
// value of an attribute, never HTML.


// h('p', { class: 'x', onclick: f }, 'text', node, [nodes], null)

export function h(tag, props, ...children) {
    const el = document.createElement(tag);

    for (const [name, value] of Object.entries(props || {})) {
        if (value === null || value === undefined || value === false) {
            continue;
        }

        if (name.startsWith('on')) {
            el.addEventListener(name.slice(2), value);

        } else if (name === 'value' || name === 'checked'
                   || name === 'muted')
        {
            el[name] = value;

        } else {
            el.setAttribute(name, value === true ? '' : value);
        }
    }

    el.append(...children.flat(3).filter(c => c !== null && c !== undefined
                                              && c !== false));

    return el;
}


// the same for SVG

export function s(tag, props, ...children) {
    const el = document.createElementNS('http://www.w3.org/2000/svg', tag);

    for (const [name, value] of Object.entries(props || {})) {
        el.setAttribute(name, value);
    }

    el.append(...children);

    return el;
}


// only what has changed touches the page

export function put(el, text) {
    const value = String(text);

    if (el.textContent !== value) {
        el.textContent = value;
    }
}


export function fill(el, ...children) {
    el.replaceChildren(...children.flat(3).filter(c => c));
}


const icons = {
    overview: 'M3 12h4l3-8 4 16 3-8h4',
    streams: 'M5 8a7 7 0 0 0 0 8M19 8a7 7 0 0 1 0 8M8.5 10a4 4 0 0 0 0 4'
        + 'M15.5 10a4 4 0 0 1 0 4M12 12v.01',
    clients: 'M9 11a3.5 3.5 0 1 0 0-7 3.5 3.5 0 0 0 0 7M2.5 20a6.5 6.5 0 0 1 '
        + '13 0M16 4.5a3.5 3.5 0 0 1 0 6.5M18 14.5a6.5 6.5 0 0 1 3.5 5.5',
    recordings: 'M4 5h16v14H4zM8 5v14M16 5v14M4 9.5h4M4 14.5h4M16 9.5h4'
        + 'M16 14.5h4',
    publish: 'M12 16V4M7 9l5-5 5 5M4 16v4h16v-4',
    play: 'M7 4.5v15l12-7.5z',
    copy: 'M9 9h11v11H9zM5 15H4V4h11v1',
    qr: 'M4 4h6v6H4zM14 4h6v6h-6zM4 14h6v6H4zM14 14h2v2h-2zM18 18h2v2h-2z'
        + 'M18 14h2M14 18v2',
    theme: 'M12 3a9 9 0 1 0 0 18zM12 3a9 9 0 0 1 0 18',
    close: 'M6 6l12 12M18 6L6 18',
    back: 'M14 6l-6 6 6 6',
};


export function icon(name) {
    return s('svg', { viewBox: '0 0 24 24', class: 'icon',
                      'aria-hidden': 'true', focusable: 'false' },
             s('path', { d: icons[name] }));
}


export function button(label, props, name) {
    return h('button', { type: 'button', ...props }, name && icon(name),
             h('span', {}, label));
}


// a button that has no text to read

export function iconButton(name, label, props) {
    return h('button', { type: 'button', class: 'bare', title: label,
                         'aria-label': label, ...props }, icon(name));
}


let fields = 0;

// a labelled input or select

export function field(label, input, hint) {
    input.id = input.id || `field-${++fields}`;

    return h('div', { class: 'field' },
             h('label', { for: input.id }, label), input,
             hint && h('small', {}, hint));
}


// options: [[value, text]]

export function select(options, value, onchange) {
    const el = h('select', { onchange: () => onchange(el.value) },
                 options.map(([v, text]) => h('option', { value: v }, text)));

    el.value = value;

    return el;
}


export function panel(title, ...children) {
    return h('section', { class: 'panel' }, title && h('h2', {}, title),
             children);
}
