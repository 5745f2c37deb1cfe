#!/usr/bin/perl

# Copyright (C) the nginx media suite authors

# Access without a back end: allow and deny, referers, publish_secret and
# publish_name, right and wrong, over RTMP, HTTP-FLV, HTTP push and HLS, with
# four workers; a reload changes them.

use warnings;
use strict;

use Test::More;

BEGIN { use FindBin; chdir($FindBin::Bin); }

use lib 'lib';
use Test::Nginx;
use Test::Nginx::Access;
use Test::Nginx::HLS;

###############################################################################

select STDERR; $| = 1;
select STDOUT; $| = 1;

my $t = Test::Nginx->new()->has(qw/ http stream rtmp flv_live hls /);

my $conf = <<'EOF_CONF';

%%TEST_GLOBALS%%

daemon off;

worker_processes 4;

events {
}

media {
    zone 64m;
    idle_timeout 3s;
    republish_wait 1s;
    hls on;
    hls_fragment 1s;
    hls_window 8s;

    application first {
        allow publish 127.0.0.2;
        allow play 127.0.0.0/24;
        deny play 127.0.0.9;
    }

    application order {
        deny all 127.0.0.3;
        allow all all;
        allow play 127.0.0.3;
    }

    application denies {
        deny publish 127.0.0.0/30;
    }

    application alone {
        allow publish all;
    }

    application v6 {
        allow all 2001:db8::/32;
        allow publish ::1;
    }

    application page {
        referers play example.com .example.org;
        referers all example.com example.org example.net;
    }

    application secret {
        publish_secret KEEPOUT-1 s3cr3t;
    }

    application inargs {
        publish_secret KEEPOUT-2 in=args;
    }

    application inname {
        publish_secret KEEPOUT-3 in=name;
    }

    application keyed {
        publish_name KEEPOUT-k1 news;
        publish_name KEEPOUT-k2 sport;
    }

    application both {
        publish_secret KEEPOUT-4;
        publish_name cam-KEEPOUT-4 cam;
    }

    application %%CHANGES%%

    vhost strict.example.com {
        deny all all;

        application open {
            allow all all;
        }
    }
}

stream {
    server {
        listen 127.0.0.1:%%PORT_1935%%;
        rtmp { }
    }

    server {
        listen [::1]:%%PORT_1936%%;
        rtmp { }
    }
}

http {
    %%TEST_GLOBALS_HTTP%%

    server {
        listen 127.0.0.1:8080;

        location / { flv_live; hls; }
        location /push/ { flv_live_push on; }
        location /api/ { media_api write; }
    }
}

EOF_CONF

sub configure {
    my ($changes) = @_;
    $t->write_file_expand('nginx.conf', $conf =~ s/%%CHANGES%%/$changes/r);
}

configure('change { deny all 127.0.0.7; }');

$t->run();

###############################################################################

# by address

my ($code, $pub) = rtmp_publish('first', 'x', from => '127.0.0.2');
is($code, 'Publish.Start', 'publish is allowed');
is(rtmp_publish('first', 'y'), 'Publish.Denied', 'and from elsewhere not');
is(http_push('/push/first/y.flv', from => '127.0.0.2'), 200, 'pushed');
is(http_push('/push/first/z.flv'), 403, 'and from elsewhere not');

is(rtmp_play('first', 'x'), 'Play.Start', 'play is allowed');
is(rtmp_play('first', 'x', from => '127.0.0.9'), 'Play.Failed',
    'and not where it is denied');
is(rtmp_play('first', 'x', from => '127.0.1.1'), 'Play.Failed',
    'nor where nothing allows it');
is(http_play('/first/x.flv', from => '127.0.0.8'), 200, 'over HTTP');
is(http_play('/first/x.flv', from => '127.0.0.9'), 403, 'denied');
is(http_play('/first/x.ts', from => '127.0.1.1'), 403, 'not allowed');

feed($pub, 1300);
ok(wait_until(sub { http_play('/first/x.m3u8') == 200 }, 10), 'a playlist');
is(http_play('/first/x.m3u8', from => '127.0.0.9'), 403, 'denied over HLS');
is(http_play('/first/x.mpd', from => '127.0.1.1'), 403, 'and as DASH');
is(http_play('/first/x.hls.init.mp4', from => '127.0.0.9'), 403, 'and parts');

# deny first, wherever it stands; only denies: the others pass

my @keep;

for my $case (
    [ 'order', '127.0.0.3', 'Publish.Denied', 'denied before it is allowed' ],
    [ 'order', '127.0.0.4', 'Publish.Start', 'allowed to all' ],
    [ 'denies', '127.0.0.3', 'Publish.Denied', 'in a network' ],
    [ 'denies', '127.0.0.4', 'Publish.Start', 'out of it' ],
    [ 'alone', '127.0.0.1', 'Publish.Start', 'one allow' ],
) {
    my ($app, $from, $want, $name) = @$case;

    ($code, my $c) = rtmp_publish($app, "p$from", from => $from);
    is($code, $want, $name);
    push @keep, $c;
}

is(rtmp_play('order', 'p127.0.0.4', from => '127.0.0.3'), 'Play.Failed',
    'deny wins over a later allow');
is(rtmp_play('denies', 'p127.0.0.4', from => '127.0.0.3'), 'Play.Start',
    'denies of another action');
is(rtmp_play('alone', 'p127.0.0.1'), 'Play.Failed',
    'an allow to publish allows nobody to play');

is(rtmp_publish('v6', 'x'), 'Publish.Denied', 'IPv4 against IPv6');

SKIP: {
    my $s = eval { require IO::Socket::IP; IO::Socket::IP->new(PeerHost =>
        '::1', PeerPort => port(1936)) };
    skip 'no IPv6', 2 unless $s;

    my $c = Test::RTMP->new(port(1936), socket => $s)->connect('v6');
    $c->create_stream();
    is(rtmp_publish('v6', 'x', client => $c), 'Publish.Start', 'IPv6');

    $s = IO::Socket::IP->new(PeerHost => '::1', PeerPort => port(1936));
    $c = Test::RTMP->new(port(1936), socket => $s)->connect('v6');
    $c->create_stream();
    is(rtmp_play('v6', 'x', client => $c), 'Play.Failed', 'not to play');
}

is(rtmp_publish('a?vhost=strict.example.com', 'x'), 'Publish.Denied',
    'all denied in a vhost');
is(rtmp_publish('open?vhost=strict.example.com', 'x'), 'Publish.Start',
    'and all allowed in one of its applications');

# another publish on the same connection is asked about again

($code, my $c) = rtmp_publish('first', 'again', from => '127.0.0.2');
is($code, 'Publish.Start', 'first publish');
is(rtmp_play('first', 'again', client => $c), 'Unpublish.Success', 'and play');

# referers

($code, $pub) = rtmp_publish('page', 'x', props => {
    pageUrl => 'https://www.example.com/a' });
is($code, 'Publish.Start', 'a page');

for my $case (
    [ 'http://example.com', 'Play.Start' ],
    [ 'https://a.b.Example.Org:8443/x?y=http://evil.net/', 'Play.Start' ],
    [ 'http://example.com./', 'Play.Start' ],
    [ 'http://user@example.com/', 'Play.Start' ],
    [ 'http://badexample.com/', 'Play.Failed' ],
    [ 'http://example.com.evil.net/', 'Play.Failed' ],
    [ 'http://example.com@evil.net/', 'Play.Failed' ],
    [ 'http://evil.net/example.com', 'Play.Failed' ],
    [ 'http://evil.net?.example.com', 'Play.Failed' ],
    [ 'http://evil.net\\.example.com', 'Play.Failed' ],
    [ 'http://example.net/', 'Play.Failed' ],
    [ '', 'Play.Failed' ],
) {
    my ($url, $want) = @$case;
    is(rtmp_play('page', 'x', props => { pageUrl => $url }), $want,
        "page \"$url\"");
}

is(http_play('/page/x.flv', header => { Referer => 'http://example.com/p' }),
    200, 'Referer');
is(http_play('/page/x.flv', header => { Referer => 'http://example.net/p' }),
    403, 'a wrong one');
is(http_play('/page/x.flv'), 403, 'none');
is(rtmp_publish('page', 'y', props => { pageUrl => 'http://evil.net/' }),
    'Publish.Denied', 'all');

# secrets

for my $case (
    [ 'secret', 'a?secret=KEEPOUT-1', 1 ],
    [ 'secret', 'b?x=1&secret=s3cr3t', 1 ],
    [ 'secret', 'c?secret=%73%33cr3t', 1 ],
    [ 'secret', 'd?any=zzKEEPOUT-1zz', 1 ],
    [ 'secret', 'es3cr3t', 1 ],
    [ 'secret?secret=KEEPOUT-1', 'f', 1 ],
    [ 'secret', 'g', 0 ],
    [ 'secret', 'g?secret=KEEPOUT-', 0 ],
    [ 'secret', 'g?secret=keepout-1', 0 ],
    [ 'secret', 'g?secret=', 0 ],
    [ 'inargs', 'h?secret=KEEPOUT-2', 1 ],
    [ 'inargs', 'hKEEPOUT-2', 0 ],
    [ 'inname', 'iKEEPOUT-3', 1 ],
    [ 'inname', 'i?secret=KEEPOUT-3', 0 ],
) {
    my ($app, $name, $good) = @$case;
    is(scalar rtmp_publish($app, $name),
        $good ? 'Publish.Start' : 'Publish.Denied', "$app/$name");
}

is(http_push('/push/secret/j.flv?secret=s3cr3t'), 200, 'pushed with it');
is(http_push('/push/secret/k.flv?secret=s3cret'), 403, 'without');
is(http_push('/push/secret/k.ts'), 403, 'nor as TS');

# keys and names

my @pubs;
($code, $pubs[0]) = rtmp_publish('keyed', 'KEEPOUT-k1?a=KEEPOUT-arg', props => {
    tcUrl => 'rtmp://127.0.0.1/keyed/KEEPOUT-k1?b=KEEPOUT-arg',
    pageUrl => 'http://page/?c=KEEPOUT-arg',
    swfUrl => 'http://page/s.swf?c=KEEPOUT-arg' });
is($code, 'Publish.Start', 'a key');
is(rtmp_publish('keyed', 'KEEPOUT-k1'), 'Publish.BadName', 'which is busy');
is(rtmp_publish('keyed', 'news'), 'Publish.Denied', 'not the name itself');
is(rtmp_publish('keyed', 'KEEPOUT-k3'), 'Publish.Start', 'any other name');
is(rtmp_play('keyed', 'news'), 'Play.Start', 'the name plays');
is(http_play('/keyed/news.flv'), 200, 'over HTTP');
is(rtmp_play('keyed', 'KEEPOUT-k1'), 'Play.StreamNotFound', 'the key does not');
is(http_play('/keyed/KEEPOUT-k1.flv'), 404, 'nor over HTTP');
is(http_play('/keyed/KEEPOUT-k1.m3u8'), 404, 'nor as HLS');
is(http_play('/keyed/KEEPOUT-none.flv'), 404, 'as any other name');
is(http_push('/push/keyed/KEEPOUT-k2.flv'), 200, 'a key that is pushed');
is(http_push('/push/keyed/sport.flv'), 403, 'and its name');

($code, $pubs[1]) = rtmp_publish('both', 'cam-KEEPOUT-4');
is($code, 'Publish.Start', 'a key that is the secret');
is(rtmp_publish('both', 'cam?secret=KEEPOUT-4'), 'Publish.Denied',
    'the name with the secret');
is(rtmp_play('both', 'cam'), 'Play.Start', 'plays without it');

# nothing of it is told

is(hidden(http_get('/api/v1/clients/?count=1000'), 'KEEPOUT-k1',
    'KEEPOUT-arg', 'KEEPOUT-4'), '', 'clients');
is(hidden(http_get('/api/v1/streams/?count=1000'), 'KEEPOUT-k1', 'KEEPOUT-k2',
    'KEEPOUT-arg', 'KEEPOUT-4'), '', 'streams');

# reload

is(rtmp_publish('change', 'x', from => '127.0.0.7'), 'Publish.Denied',
    'before the reload');

($code, $c) = rtmp_publish('change', 'stays', from => '127.0.0.6');
is($code, 'Publish.Start', 'who was allowed');

configure('change { deny all 127.0.0.6; }');
ok($t->reload(), 'reload');

is(rtmp_publish('change', 'y', from => '127.0.0.7'), 'Publish.Start',
    'after the reload');
is(rtmp_publish('change', 'z', from => '127.0.0.6'), 'Publish.Denied',
    'new rules');
ok(!$c->closed(0.3), 'goes on');

# what is refused when it is read

for my $case (
    [ 'allow all 1.2.3;', 'invalid address "1.2.3"' ],
    [ 'allow none all;', 'invalid action "none"' ],
    [ 'deny publish;', 'invalid number of arguments' ],
    [ 'referers play http://x/;', 'invalid domain "http://x/"' ],
    [ 'referers some x;', 'invalid action "some"' ],
    [ 'publish_secret abc in=arg;', 'there is no option "in="' ],
    [ 'publish_secret a; publish_secret b;', 'is duplicate' ],
    [ 'publish_secret in=args;', 'needs a secret' ],
    [ 'publish_name a/b c;', 'invalid key or name' ],
    [ 'publish_name a b; publish_name b c;', 'viewers would see it' ],
    [ 'publish_name a b; publish_name a c;', 'has a name already' ],
    [ 'max_players x;', 'invalid number "x"' ],
    [ 'max_players 1; max_players 2;', 'is duplicate' ],
    [ 'max_publish_rate 1;', 'invalid rate "1"' ],
) {
    my ($text, $want) = @$case;

    $t->write_file_expand('bad.conf',
        "%%TEST_GLOBALS%% events { }\nmedia {\n$text\n}\n");

    my ($status, $said) = $t->test_config('bad.conf');

    isnt($status, 0, "refused: $text");
    like($said, qr/\Q$want\E.* in \S+bad\.conf:\d/s, 'and told why and where');
}

###############################################################################

my $log = $t->read_file('error.log');

is(hidden(join("\n", grep { !/\[debug\]|request: "/ } split /\n/, $log),
    'KEEPOUT-k1', 'KEEPOUT-arg', 'KEEPOUT-1', 'KEEPOUT-4'), '',
    'nor in the log');

done_testing();
