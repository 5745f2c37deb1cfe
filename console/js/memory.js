// Copyright (C) the nginx media suite authors

// Choices that outlive the page; a browser may forbid that.

const prefix = 'nginx-media.';


export function recall(name) {
    try {
        return localStorage.getItem(prefix + name);
    } catch {
        return null;
    }
}


export function remember(name, value) {
    try {
        if (value === null) {
            localStorage.removeItem(prefix + name);
        } else {
            localStorage.setItem(prefix + name, value);
        }
    } catch {
        // it is forgotten with the page
    }
}
