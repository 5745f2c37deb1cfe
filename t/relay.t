#!/usr/bin/perl

# Copyright (C) the nginx media suite authors

# Relays over SRT between two servers: an edge that fetches what its players
# want, once whatever their number, protocol and worker; a server that sends
# what is published.  What happens when the other one is not there, goes and
# comes back; when the worker that fetches is killed; when somebody publishes
# what was fetched.

use warnings;
use strict;

use Test::More;

BEGIN { use FindBin; chdir($FindBin::Bin); }

use lib 'lib';
use Test::Nginx;
use Test::Nginx::Player;

use List::Util qw/ max /;
use Time::HiRes qw/ sleep time /;

select STDERR; $| = 1;
select STDOUT; $| = 1;

my $edge = Test::Nginx->new()->has(qw/http stream rtmp flv_live hls srt/)
    ->has_daemon('ffmpeg');
my $origin = Test::Nginx->new();

# it is stopped while it has sessions

$origin->allow_alerts(qr/open socket #\d+ left|aborting$/);

$origin->write_file_expand('nginx.conf', <<'END_OF_CONF');
%%TEST_GLOBALS%%
daemon off;
worker_processes %%WORKERS%%;
events { }

media {
    republish_wait 500ms;
}

stream {
    server { listen 127.0.0.1:8135; rtmp { } }
    server { listen 127.0.0.1:8136 udp reuseport; srt { } }
}

http {
    %%TEST_GLOBALS_HTTP%%

    server {
        listen 127.0.0.1:8180;
        location / { flv_live; }
        location /api/ { media_api; }
    }
}
END_OF_CONF

$edge->write_file_expand('nginx.conf', <<'END_OF_CONF');
%%TEST_GLOBALS%%
daemon off;
worker_processes %%WORKERS%%;
events { }

media {
    republish_wait 8s;
    hls_fragment 1s;

    application live {
        origin srt://127.0.0.1:8136?streamid=#!::r=no/where,m=request,k=hush
               srt://127.0.0.1:8136;
        origin_idle 1s;
    }
}

stream {
    server { listen 127.0.0.1:8035; rtmp { } }
    server { listen 127.0.0.1:8036 udp reuseport; srt { } }
}

http {
    %%TEST_GLOBALS_HTTP%%

    server {
        listen 127.0.0.1:8080 reuseport;
        location / { flv_live; hls; }
        location /api/ { media_api; }
        location /metrics { media_metrics; }
    }
}
END_OF_CONF

$origin->run();
$edge->run();

my $clip = clip($edge, 'clip', duration => 6);

# nobody has it: the player hears so as soon as all URLs have failed

my $begun = time();

is(http_status(http_get('/live/none.flv', port => 8080)), 404,
    'a stream that is nowhere');
cmp_ok(time() - $begun, '<', 9, 'is not waited for');
is(http_status(http_head('/live/one.flv')), 404, 'HEAD fetches nothing');

# one that the origin has: fetched once, for players of all protocols

encode($origin, $clip, 'rtmp://127.0.0.1:' . port(8135) . '/live/one');
ok(on_origin(sub { $_[0]->{publish}{active} }, 'one'), 'the origin has it');

my @flv = map { Test::Nginx::Player->flv('/live/one.flv') } 1 .. 8;
my @rtmp = map { Test::Nginx::Player->rtmp('live', 'one', port => 8035) }
    1 .. 3;

ok(play_until(sub {
    !grep { $_->video() < 25 } @flv, @rtmp
}, 20), 'all players play');

is_deeply([map { times_of($_) } @flv, @rtmp], [('') x 11], 'in order');

is(fetching(), 1, 'one call to the origin');

my ($relay) = relays();

is_deeply([@$relay{qw/ way state vhost app stream /}],
    [qw/ pull connected __defaultVhost__ live one /], 'what the API says');
cmp_ok($relay->{bytes}, '>', 10000, 'its bytes');
cmp_ok($relay->{attempts}, '>=', 1, 'its calls');

like(http_get('/live/one.m3u8', port => 8080), qr/EXTM3U/,
    'HLS of what is fetched');

# players go, and so does the call; HLS alone begins the next one

$_->drop() for @flv, @rtmp;
ok(wait_until(sub { !relays() && fetching() == 0 }, 10), 'nobody plays it');

like(http_get('/live/one.m3u8', port => 8080), qr/EXTM3U/,
    'a request for HLS');
ok(wait_until(sub { fetching() == 1 }, 5), 'fetches again');

# a reload: players of old and new workers share what an old one fetches

my $old = Test::Nginx::Player->flv('/live/one.flv');
ok(play_until(sub { $old->video() > 20 }, 10), 'a player');

$edge->reload();

my $p = Test::Nginx::Player->flv('/live/one.flv');
ok(play_until(sub { $p->video() > 20 }, 10), 'a player after a reload');
is(times_of($old), '', 'the one before goes on');
is(fetching(), 1, 'what is fetched is shared');

# then the old worker is killed, or goes: the new ones fetch it themselves

my ($gone) = grep { $_->{state} eq 'connected' } relays();
my %new = map { $_ => 1 } $edge->workers();

if ($gone && !$new{$gone->{worker}}) {
    $old->drop();
    kill 'KILL', $gone->{worker};
    $edge->allow_alerts(qr/process $gone->{worker} exited on signal 9/);
}

my $before = $p->mark();

ok(play_until(sub {
    my ($r) = grep { $_->{state} eq 'connected' } relays();
    $r && $new{$r->{worker}} && $p->video($before) > 20
}, 10), 'a new worker fetches it');
is(times_of($p), '', 'and its player goes on');
$old->drop();

# its worker dies

my ($r) = grep { $_->{state} eq 'connected' } relays();
my ($other) = grep { $_ != $r->{worker} } $edge->workers();

ok($r && $other, 'worker that fetches is known');

my @p = map { Test::Nginx::Player->flv('/live/one.flv') } 1 .. 12;
play_until(sub { !grep { $_->video() < 10 } @p }, 10);

my ($alive) = kill_fetching($r->{worker});
my $mark = time();

SKIP: {
    skip 'all players in one worker', 2 unless @$alive;

    my @from = map { $_->mark() } @$alive;

    ok(play_until(sub {
        !grep { $alive->[$_]->video($from[$_]) < 20 } 0 .. $#$alive
    }, 10), 'players of others go on when its worker is killed');
    is(join('', map { times_of($_) } @$alive), '', 'their times too');
    note(sprintf 'after %.1f s', time() - $mark);
}

is(scalar(grep { $_->{state} eq 'connected' } relays()), 1, 'one relay again');

# the origin goes and comes back within republish_wait

my @left = grep { !$_->{closed} } ($p, @p);
my @from = map { $_->mark() } @left;

$origin->stop_daemons();
$origin->stop();
$mark = time();
$origin->run();
encode($origin, $clip, 'rtmp://127.0.0.1:' . port(8135) . '/live/one');

ok(play_until(sub {
    !grep { $left[$_]->video($from[$_]) < 30 } 0 .. $#left
}, 15), 'the origin was restarted, players go on');
is(join('', map { times_of($_) } @left), '', 'times go on');
note(sprintf 'after %.1f s', time() - $mark);

# somebody publishes what is fetched

encode($edge, $clip, 'rtmp://127.0.0.1:' . port(8035) . '/live/one');

ok(play_until(sub {
    my ($s) = grep { $_->{name} eq 'one' }
        @{$edge->api_get('/api/v1/streams/')->{streams} || []};
    my ($c) = grep { $_->{publish} && $_->{name} eq 'one' }
        @{$edge->api_get('/api/v1/clients/?count=100')->{clients} || []};
    $s && $c && $c->{type} eq 'fmle-publish'
        || $c && $c->{type} eq 'flash-publish'
}, 10), 'who publishes it wins');

ok(wait_until(sub { !grep { $_->{way} eq 'pull' } relays() }, 5),
    'and it is fetched no more');

$_->drop() for $p, @p;
$edge->stop_daemons();

unlike($edge->read_file('error.log'), qr/hush|a-secret/, 'no secrets in logs');

$edge->stop();
$origin->stop();

done_testing();

###############################################################################

sub relays {
    return @{$edge->api_get('/api/v1/relays?count=100')->{relays} || []};
}

# clients of the origin that play the stream over SRT

sub fetching {
    my $reply = http_get('/api/v1/clients/?count=100', port => 8180);
    my $json = eval { JSON::PP::decode_json(http_content($reply)) } || {};

    return scalar grep { $_->{type} eq 'srt-play' && !$_->{publish} }
        @{$json->{clients} || []};
}

sub on_origin {
    my ($code, $name, $timeout) = @_;

    my $look = sub {
        my $reply = http_get('/api/v1/streams/', port => 8180) // '';
        my $json = eval { JSON::PP::decode_json(http_content($reply)) } || {};
        my ($s) = grep { $_->{name} eq $name } @{$json->{streams} || []};

        return $s && $code->($s);
    };

    return $timeout || !defined $timeout ? wait_until(sub { $look->() }, $timeout // 10)
        : $look->();
}

# pictures begin with a keyframe and come later and later; '' where they do

sub times_of {
    my ($player) = @_;

    my ($last, $first);

    for my $tag (grep { $_->{type} == 9 && $_->{frame} } $player->tags()) {
        return "first is $tag->{kind}" if !$first++ && $tag->{kind} ne 'key';
        return "$tag->{ms} ms after $last" if defined $last
            && $tag->{ms} <= $last;
        $last = $tag->{ms};
    }

    return $first ? '' : 'nothing';
}

# kills it; gives the players that other workers have

sub kill_fetching {
    my ($pid) = @_;

    my %by;

    for my $c (@{$edge->api_get('/api/v1/clients/?count=100')->{clients}}) {
        $by{$c->{pageUrl}} = $c->{worker} if $c->{pageUrl};
    }

    my @others = grep { ($by{$_->{page}} || 0) != $pid } ($p, @p);

    $edge->kill_worker($pid);

    return \@others;
}
