// Copyright (C) the nginx media suite authors

// The language: that of the browser, or the one that was chosen.

import en from './en.js';
import zh from './zh.js';
import { remember, recall } from './memory.js';


export const languages = { en: 'English', zh: '中文' };

const tables = { en, zh };

let current = recall('language');

if (!tables[current]) {
    const wanted = navigator.languages || [navigator.language || 'en'];
    const known = wanted.map(l => l.slice(0, 2).toLowerCase())
        .find(l => tables[l]);

    current = known || 'en';
}


export function language() {
    return current;
}


export function setLanguage(name) {
    current = name;
    remember('language', name);
}


// t('streams.count', { n: 3 })

export function t(key, values) {
    const text = tables[current][key] ?? en[key] ?? key;

    return values ? text.replace(/\{(\w+)\}/g, (all, name) =>
        name in values ? values[name] : all) : text;
}


export function has(key) {
    return key in en;
}
