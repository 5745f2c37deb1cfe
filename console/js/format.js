// Copyright (C) the nginx media suite authors

// Numbers and times as people read them.

import { language } from './text.js';


function digits(value) {
    return value >= 100 ? 0 : value >= 10 ? 1 : 2;
}


function scaled(value, step, units) {
    let i = 0;

    while (value >= step && i < units.length - 1) {
        value /= step;
        i++;
    }

    return `${value.toFixed(i || value % 1 ? digits(value) : 0)} ${units[i]}`;
}


export function bytes(value) {
    return scaled(value || 0, 1024, ['B', 'KB', 'MB', 'GB', 'TB']);
}


export function bits(kbps) {
    return scaled(kbps || 0, 1000, ['kbit/s', 'Mbit/s', 'Gbit/s']);
}


export function percent(share) {
    const value = (share || 0) * 100;

    return `${value.toFixed(value >= 10 ? 0 : 1)} %`;
}


export function count(value) {
    return new Intl.NumberFormat(language()).format(value || 0);
}


export function ms(value) {
    return value >= 10000 ? `${(value / 1000).toFixed(1)} s`
        : `${Math.round(value || 0)} ms`;
}


// seconds: 4:05, 3:20:10, 2 d 03:20

export function duration(seconds) {
    const all = Math.max(0, Math.floor(seconds || 0));
    const two = n => String(n).padStart(2, '0');
    const days = Math.floor(all / 86400);
    const hours = Math.floor(all / 3600) % 24;
    const minutes = Math.floor(all / 60) % 60;

    if (days) {
        return `${days} d ${two(hours)}:${two(minutes)}`;
    }

    return hours ? `${hours}:${two(minutes)}:${two(all % 60)}`
        : `${minutes}:${two(all % 60)}`;
}


export function clock(epoch) {
    return new Date(epoch).toLocaleTimeString(language(), { hour12: false });
}


export function date(epoch) {
    return new Date(epoch).toLocaleString(language(), { hour12: false,
        year: 'numeric', month: '2-digit', day: '2-digit',
        hour: '2-digit', minute: '2-digit', second: '2-digit' });
}


export function video(v) {
    return v ? [v.codec, v.width ? `${v.width}×${v.height}` : '']
        .filter(Boolean).join(' ') : '';
}


export function audio(a) {
    return a ? [a.codec, a.sample_rate
        ? `${(a.sample_rate / 1000).toFixed(1)} kHz` : ''].filter(Boolean)
        .join(' ') : '';
}
