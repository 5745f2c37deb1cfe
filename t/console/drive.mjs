// Copyright (C) the nginx media suite authors

// Drives the console in Chromium and says what it found: "ok NAME" or
// "not ok NAME" lines; "do WHAT" asks the test that has started it to act.
//
//     node drive.mjs URL OTHER-URL CHROMIUM PICTURES CONSOLE PORT SRT-PORT

import { createRequire } from 'node:module';
import { pathToFileURL } from 'node:url';
import { mkdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';


const [base, other, executablePath, pictures, source, rtmpPort,
       srtPort] = process.argv.slice(2);

const require = createRequire(join(process.cwd(), 'package.json'));
const { chromium } = require('playwright-core');
const jsQR = require('jsqr');
const rules = readFileSync(require.resolve('axe-core/axe.min.js'), 'utf8');

const hostile = '<img src=x onerror=alert(1)>';
const origin = new URL(base).origin;
const recorder = (await fetch(`${origin}/api/v1/recordings/`)).ok;
const faults = [];
const began = Date.now();

mkdirSync(pictures, { recursive: true });


function ok(good, name, more) {
    console.log(`${good ? 'ok' : 'not ok'} ${name}`
        + `${good || more === undefined ? '' : ` # ${more}`}`);
}


function note(text) {
    console.log(`# ${((Date.now() - began) / 1000).toFixed(1)} s ${text}`);
}


async function within(name, f, ms = 15000) {
    const end = Date.now() + ms;
    let last;

    for (;;) {
        try {
            last = await f();
        } catch (e) {
            last = null;
            if (Date.now() > end) {
                ok(false, name, String(e).split('\n')[0]);
                return false;
            }
        }

        if (last || Date.now() > end) {
            ok(last, name);
            return last;
        }

        await new Promise(done => setTimeout(done, 100));
    }
}


function watch(page) {
    page.on('console', m => {
        if (/error|warning/.test(m.type())) {
            faults.push(`${m.type()}: ${m.text()} ${m.location().url}`);
        }
    });

    page.on('pageerror', e => faults.push(`exception: ${e.stack}`));
    page.on('dialog', d => {
        faults.push(`a dialog: ${d.message()}`);
        d.dismiss();
    });

    page.on('request', r => {
        const url = r.url();

        if (!url.startsWith(`${origin}/`) && !url.startsWith('data:')
            && !url.startsWith(`blob:${origin}/`)
            && !(other && url.startsWith(`${other}/`)))
        {
            faults.push(`asks another host: ${url}`);
        }
    });
}


const browser = await chromium.launch({ executablePath, args: ['--no-sandbox',
    '--autoplay-policy=no-user-gesture-required', '--disable-dev-shm-usage',
    '--disable-gpu', '--mute-audio'] });

async function open(options) {
    const context = await browser.newContext({ locale: 'en-US', ...options });
    const page = await context.newPage();

    watch(page);
    page.setDefaultTimeout(10000);

    return page;
}


function go(page, route) {
    return page.goto(`${base}#/${route}`);
}


function picture(page, name) {
    return page.screenshot({ path: join(pictures, `${name}.png`) });
}


const wide = page => page.evaluate(() =>
    document.documentElement.scrollWidth - innerWidth);

const row = (page, text) => page.locator('tbody tr', { hasText: text });


///////////////////////////////////////////////////////////////////////////////

async function tables() {
    const [en, zh] = await Promise.all(['en', 'zh'].map(async name =>
        (await import(pathToFileURL(join(source, `js/${name}.js`)))).default));
    const holes = text => (text.match(/\{\w+\}/g) || []).sort().join();
    const keys = Object.keys(en);

    ok(keys.join() === Object.keys(zh).join(), 'both languages say the same',
       [...keys.filter(k => !(k in zh)),
        ...Object.keys(zh).filter(k => !(k in en))].join());
    ok(keys.every(k => holes(en[k]) === holes(zh[k])),
       'with the same values', keys.filter(k => holes(en[k])
                                                !== holes(zh[k])).join());
    ok(keys.every(k => en[k] && zh[k]), 'and nothing is empty');
}


async function appears(page) {
    await page.goto(`${origin}/`);
    await within('the console is where / leads', () =>
        page.locator('h1', { hasText: 'Overview' }).isVisible());
    ok(new URL(page.url()).pathname === '/console/', 'at /console/',
       page.url());

    await go(page, 'streams');
    await within('no streams yet', () =>
        page.getByText('No streams.').isVisible());

    console.log('do publish alive');
    await within('a stream appears', () =>
        row(page, 'live/alive').isVisible(), 20000);
    await within('it is live', () => row(page, 'live/alive')
        .locator('.badge.live').isVisible());

    console.log('do publish hostile');
    await within('its codecs are shown', async () => /H264 320×180.*AAC/
        .test((await row(page, 'live/alive').textContent())));
    await picture(page, 'streams');
}


async function one(page) {
    await page.getByRole('link', { name: 'live/alive' }).click();
    await within('a stream has two tracks', async () =>
        await page.locator('.track').count() === 2);
    await within('a track tells of itself', async () =>
        /H264.*320×180/.test(await page.locator('.track').first()
            .textContent()));
    await within('its graph has points', async () => Number(await page
        .locator('.track .plot').first().getAttribute('data-points')) > 3);
    ok(/^M[\d. L]+$/.test(await page.locator('.track .line.one').first()
        .getAttribute('d')), 'and a line');
    await within('its publisher is known', async () =>
        (await page.getByText('fmle-publish').count()) > 1);

    await page.getByRole('button', { name: 'Play here' }).click();
    await plays(page, 'beside the stream');
    await picture(page, 'stream');
    await page.getByRole('button', { name: 'Play here' }).click();
    ok(await page.locator('video').count() === 0, 'and is closed');
}


async function plays(page, name, seconds = 1.2) {
    const video = page.locator('video');
    let from;

    await within(`plays: ${name}`, async () => {
        const at = await video.evaluate(v => v.videoWidth ? v.currentTime
            : null);

        from ??= at ?? undefined;

        return at !== null && at - from > seconds;
    }, 20000);
}


async function players(page) {
    for (const kind of ['flv', 'ts', 'll', 'hls']) {
        await go(page, `play?app=live&stream=alive&kind=${kind}`);
        await plays(page, kind);
        await within(`${kind}: frames are counted`, async () =>
            /\d+ \/ [1-9]/.test(await page.locator('.player .facts')
                .textContent()));

        if (kind === 'ts') {
            await picture(page, 'play');
        }
    }
}


async function names(page) {
    await go(page, 'streams');
    await within('a hostile name is a text', async () =>
        (await page.locator('td.main').allTextContents())
            .includes(`live/${hostile}`));
    await page.getByRole('link', { name: hostile }).click();
    await within('also above its page', async () =>
        await page.locator('h1').textContent() === `live/${hostile}`);
    await go(page, 'overview');
    await within('also in events', async () =>
        (await page.locator('.events .what').allTextContents())
            .includes(`live/${hostile}`));
    await go(page, 'clients');
    await within('also with clients', () => row(page, hostile).isVisible());
    ok(await page.locator('img[src="x"]').count() === 0, 'and no element');
}


// URLs of SRT, what is published to one of them, and how its way is

async function ways(page) {
    if (!srtPort) {
        await go(page, 'publish');
        ok(await page.getByText('SRT').count() === 0, 'no SRT');
        return;
    }

    const shown = (id, name) => within(name, () => page.getByText(
        `srt://127.0.0.1:${srtPort}?streamid=#!::${id}`, { exact: true })
        .first().isVisible());

    await go(page, 'publish?vhost=a.example.com');
    await page.getByLabel('Port of SRT').fill(srtPort);
    await page.getByLabel('Application').fill('show/a');
    await page.getByLabel('Stream name').fill('x y');
    await page.getByLabel('Arguments').fill('token=a&k=1 2%26');
    await shown('r=show/a/x%20y,m=publish,h=a.example.com,token=a,k=1%202%2526',
                'SRT: a URL to publish, of a vhost');
    await shown('r=show/a/x%20y,m=request,h=a.example.com',
                'SRT: one to play, without what is secret');

    await go(page, 'publish');
    await page.getByLabel('Application').fill('live');
    await page.getByLabel('Stream name').fill('way');
    await shown('r=live/way,m=publish', 'SRT: one of the default vhost');

    console.log(`do srt ${await page.getByText('r=live/way,m=publish').first()
        .textContent()}`);
    await go(page, 'clients');
    await within('SRT: its client has a round-trip time', async () =>
        /srt-publish/.test(await row(page, 'live/way').textContent())
        && /^\d+ ms$/.test(await row(page, 'live/way')
            .locator('[data-label="RTT"]').textContent()));
    ok(/^[\d.]+ %$/.test(await row(page, 'live/way')
        .locator('[data-label="Loss"]').textContent()), 'SRT: and a loss');
    ok(/^\d+$/.test(await row(page, 'live/way')
        .locator('[data-label="Sent again"]').textContent()),
       'SRT: and what was sent again');
    await picture(page, 'clients-srt');
    await row(page, 'live/way').getByRole('link', { name: 'live/way' })
        .click();
    await within('SRT: its way is shown', () => page.getByText(/RTT \d+ ms/)
        .isVisible());
    await picture(page, 'stream-srt');
    await go(page, 'publish');
    await picture(page, 'publish-srt');
}


async function graphs(page) {
    await go(page, 'overview');
    await within('the graphs have points', async () => {
        const all = await page.locator('.plot').evaluateAll(list =>
            list.map(x => Number(x.dataset.points)));

        return all.length === 4 && all.every(n => n > 3);
    });
    await within('workers are shown', async () =>
        await page.getByRole('table', { name: 'Workers' })
            .locator('tbody tr').count() > 1);
    await picture(page, 'overview');
}


async function kicks(page) {
    await go(page, 'clients');

    const kick = row(page, 'live/alive').getByRole('button',
                                                   { name: 'Kick' });

    await kick.focus();
    await page.keyboard.press('Enter');
    await within('a question comes first', () =>
        page.getByRole('dialog').isVisible());
    await page.keyboard.press('Escape');
    await within('Escape takes it back', async () =>
        await page.locator('dialog').count() === 0);
    ok(await kick.evaluate(b => b === document.activeElement),
       'focus is where it was');

    await picture(page, 'clients');
    await kick.click();
    await page.getByRole('dialog').getByRole('button', { name: 'Kick' })
        .click();
    await within('a client that is kicked is gone', async () =>
        await row(page, 'live/alive').count() === 0);
    await go(page, 'streams');
    await within('its stream is idle', async () => /idle/.test(await
        row(page, 'live/alive').textContent()));
}


async function republishes(page) {
    await page.getByRole('link', { name: hostile }).click();

    const button = page.getByRole('button', { name: 'Republish' });

    await within('republish is offered', () => button.isEnabled());
    await button.click();
    await page.getByRole('dialog').getByRole('button',
                                             { name: 'Republish' }).click();
    await within('the publisher has to go', () =>
        page.getByText('Nobody publishes').isVisible());
}


async function records(page) {
    if (!recorder) {
        note('there is none');
        return;
    }

    console.log('do publish kept');
    await go(page, 'streams');
    await page.getByRole('link', { name: 'kept' }).click();

    const on = page.getByRole('radio', { name: 'On', exact: true });

    await within('recording is offered', () => on.isEnabled());
    await on.check({ force: true });
    await within('it records', () => page.getByText(/^Recording: /)
        .isVisible(), 20000);
    await page.waitForTimeout(3000);
    await picture(page, 'record');
    await page.getByRole('radio', { name: 'Off' }).check({ force: true });
    await within('and does not', () => page.getByText('Not recording now.')
        .isVisible());
    await page.getByRole('link', { name: 'Recordings of this stream' })
        .click();
    await within('the recording is listed', async () =>
        /complete/.test(await row(page, 'live/kept').first().textContent()));
    await picture(page, 'recordings');
    await row(page, 'live/kept').first().getByRole('button',
        { name: 'Preview' }).click();
    await plays(page, 'a recording', 0.5);
    await picture(page, 'preview');
    await page.keyboard.press('Escape');

    let file = page.waitForEvent('download');

    await row(page, 'live/kept').first().getByRole('link',
        { name: 'Download' }).click();
    ok((await file).suggestedFilename(), 'it can be had');

    file = page.waitForEvent('download');
    await page.getByRole('button', { name: 'Export' }).click();

    const part = readFileSync(await (await file).path());

    ok(part.length > 50000 && part.subarray(4, 8).toString() === 'ftyp',
       'a part of it too', part.length);
    await row(page, 'live/kept').first().getByRole('button',
        { name: 'Delete' }).click();
    await page.getByRole('dialog').getByRole('button', { name: 'Delete' })
        .click();
    await within('it is deleted', () => page.getByText('No recordings.')
        .isVisible());
}


async function urls(page) {
    await go(page, 'publish');
    await page.getByLabel('Application').fill('show/a');
    await page.getByLabel('Stream name').fill('x y');
    await page.getByLabel('Port of RTMP').fill(rtmpPort);

    const wanted = `${origin}/show/a/x%20y.m3u8`;

    await within('a URL is shown', () => page.getByText(wanted,
        { exact: true }).isVisible());
    ok(await page.getByText(`rtmp://127.0.0.1:${rtmpPort}/show/a`,
        { exact: true }).isVisible(), 'that of OBS');
    ok(await page.getByText('WebRTC').count() === 0,
       'none of what is not there');

    await page.context().grantPermissions(['clipboard-read',
                                           'clipboard-write']);
    await page.getByRole('button', { name: 'Copy: HLS' }).click();
    await within('it is copied', async () => await page.evaluate(() =>
        navigator.clipboard.readText()) === wanted);

    await page.getByRole('button', { name: 'QR code: HLS' }).click();

    const code = await page.locator('canvas.qr').evaluate(c => {
        const { width, height } = c;
        const { data } = c.getContext('2d').getImageData(0, 0, width, height);

        return { width, height, data: [...data] };
    });
    const read = jsQR(Uint8ClampedArray.from(code.data), code.width,
                      code.height);

    ok(read?.data === wanted, 'the QR code says it', read?.data);
    await picture(page, 'qr');
    await page.keyboard.press('Escape');
}


async function choices(page) {
    const dark = () => page.evaluate(() =>
        getComputedStyle(document.body).backgroundColor);
    const before = await dark();

    await page.getByLabel('Appearance').selectOption('dark');
    ok(await dark() !== before, 'dark is another colour');
    await page.getByLabel('Language').selectOption('zh');
    await within('Chinese', () => page.locator('h1', { hasText: '推流' })
        .isVisible());
    await page.reload();
    await within('is remembered', () => page.locator('h1',
        { hasText: '推流' }).isVisible());
    ok(await dark() !== before, 'dark too');
    ok(await page.evaluate(() => document.documentElement.lang) === 'zh-CN',
       'and told');
    await picture(page, 'dark');
    await page.context().close();

    const other = await open({ locale: 'zh-TW', colorScheme: 'dark' });

    await go(other, 'streams');
    await within('a browser may speak Chinese', () =>
        other.locator('h1', { hasText: '流' }).isVisible());
    ok(await other.evaluate(() => getComputedStyle(document.body)
        .backgroundColor) !== before, 'and like it dark');
    await other.context().close();
}


// a server with many streams and clients, which this here answers for

async function many() {
    const page = await open();
    const streams = Array.from({ length: 2500 }, (x, i) => ({
        id: `vid-${i}`, name: `s${i}`, vhost: 'v', app: 'live',
        url: `/live/s${i}<b>`, clients: i, frames: i, send_bytes: 1,
        recv_bytes: 1, kbps: { recv_30s: i, send_30s: 2 * i },
        publish: { active: true, cid: `c${i}` }, video: null, audio: null,
        dropped: 0, memory: { bytes: 65536, chunks: 1 }, hls: null }));
    let asked = 0;

    await page.route('**/api/v1/streams/?*', route => {
        const query = new URL(route.request().url()).searchParams;
        const start = Number(query.get('start'));

        asked++;
        route.fulfill({ json: { code: 0, server: 's', service: 's', pid: '1',
            streams: streams.slice(start, start + Number(query.get('count'))),
            total: streams.length } });
    });

    await go(page, 'streams');
    await within('a page of many', async () =>
        await page.locator('tbody tr').count() === 50);
    ok(/2,500/.test(await page.locator('.total').textContent()), 'of 2500');

    const first = page.locator('tbody tr').first();

    await first.evaluate(tr => tr.mark = true);
    streams[0].clients = 4711;
    await within('a row is kept when it changes', async () =>
        /4,711/.test(await first.textContent())
        && await first.evaluate(tr => tr.mark === true));

    await page.getByRole('button', { name: 'Next' }).click();
    await within('the next page', () => page.getByRole('link',
        { name: 'live/s50<b>' }).isVisible());
    await page.getByRole('searchbox').fill('s2499');
    await within('one of many is found', async () =>
        await page.locator('tbody tr').count() === 1);
    await page.getByRole('searchbox').fill('');
    await page.getByRole('columnheader', { name: 'In' }).getByRole('button')
        .click();
    await within('many are sorted', async () => /s2499/.test(await
        page.locator('tbody tr').first().textContent()));
    ok(asked < 40, 'without asking too much', asked);
    await page.context().close();
}


async function phone() {
    const page = await open({ viewport: { width: 360, height: 740 },
                              hasTouch: true, isMobile: true });

    for (const route of ['overview', 'streams', 'clients',
                         ...recorder ? ['recordings'] : [], 'publish', 'play?app=live&stream=none&kind=hls',
                         'streams/none'])
    {
        if (/none/.test(route)) {
            // what is not there is not asked for here: that is an error 404
            await page.route('**/*.m3u8*', r => r.fulfill({ body:
                '#EXTM3U\n#EXT-X-TARGETDURATION:1\n' }));
        }

        await go(page, route);
        await page.waitForTimeout(600);
        ok(await wide(page) <= 0, `a phone: ${route}`);

        if (/overview|streams$|publish/.test(route)) {
            await picture(page, `phone-${route}`);
        }
    }

    await page.context().close();
}


async function limits() {
    const page = await open({ extraHTTPHeaders: { 'X-Forwarded-For':
                                                  '192.0.2.1' } });

    await page.goto(`${other}/console/#/clients`);
    await within('who may not change is told', () =>
        page.getByText('nothing can be changed').isVisible());

    const buttons = page.getByRole('button', { name: 'Kick' });

    ok((await buttons.evaluateAll(all => all.map(b => b.disabled)))
        .every(x => x), 'and has no buttons');
    await page.context().close();
}


async function reach(page) {
    await page.goto('about:blank');
    await go(page, 'overview');
    await page.locator('.tiles').waitFor();
    await page.keyboard.press('Tab');
    ok(await page.evaluate(() => document.activeElement.className) === 'skip',
       'the first Tab leads to the content');

    const unnamed = await page.evaluate(() => [...document.querySelectorAll(
        'button, a[href], input, select')].filter(x => !x.closest(
            '[aria-hidden]') && !(x.textContent.trim() || x.ariaLabel
            || x.labels?.length)).map(x => x.outerHTML));

    ok(unnamed.length === 0, 'everything has a name', unnamed.join());

    // contrast, roles, labels, headings: in both colours, and not while one
    // becomes the other

    for (const [route, colorScheme] of [['overview', 'light'],
        ['streams', 'dark'], ['publish', 'light'], ['clients', 'dark']])
    {
        await page.emulateMedia({ colorScheme, reducedMotion: 'reduce' });
        await go(page, route);
        await page.locator('.panel').first().waitFor();
        await page.evaluate(rules);

        const found = await page.evaluate(async () =>
            (await window.axe.run()).violations.map(v =>
                `${v.id}: ${v.nodes[0].html}`));

        ok(found.length === 0, `for everybody: ${route}, ${colorScheme}`,
           found.join());
    }

    await page.emulateMedia({ colorScheme: 'light', reducedMotion: null });
}


async function all() {
    const page = await open({ viewport: { width: 1360, height: 900 } });

    for (const step of [tables, appears, one, players, names, graphs, reach,
                        limits, kicks, republishes, records, urls, ways,
                        choices, many, phone])
    {
        note(step.name);
        await step(page);
    }
}


try {
    await all();
} catch (e) {
    ok(false, 'to the end', String(e.stack).replace(/\n\s*/g, ' | '));
}

ok(faults.length === 0, 'no error, no other host', faults.join(' | '));
note('done');
await browser.close();
