#!/usr/bin/perl

# Copyright (C) the nginx media suite authors

# The segmenter: what is cut of which stream, in both containers, in one
# rendition and in one for each track; on demand; through the end of a
# publisher, the death of its worker, a reload, a zone that is full.

use warnings;
use strict;

use Test::More;

BEGIN { use FindBin; chdir($FindBin::Bin); }

use lib 'lib';
use Test::Nginx;
use Test::Nginx::HLS;
use Test::Nginx::Player qw/ arena /;

use Time::HiRes qw/ sleep time /;

select STDERR; $| = 1;
select STDOUT; $| = 1;

my $t = Test::Nginx->new()->has(qw/http stream rtmp flv_live hls/)
    ->has_daemon('ffmpeg', 'ffprobe');

# configurations that are refused

for my $case (
    [ 'hls yes;', 'say "off" or "on" or "demand"' ],
    [ 'hls on; hls on;', 'duplicate' ],
    [ 'hls_fragment 100ms;', 'between 500ms and 60s' ],
    [ 'hls_fragment x;', 'invalid time' ],
    [ 'hls_part 20ms;', '100ms or more' ],
    [ 'hls_part 3s;', 'not longer than hls_fragment' ],
    [ 'hls_window 3s;', 'too short' ],
    [ 'hls_window 1d;', 'more than 504 segments' ],
    [ 'hls_fragment 60s; hls_window 2h;', 'longer than 1h' ],
    [ 'hls_container mp3;', 'say "fmp4" or "mpegts"' ],
    [ 'hls_container mpegts; dash on;', 'needs "hls_container fmp4"' ],
    [ 'hls_keys on; dash on;', 'exclude each other' ],
    [ 'hls_fragments_per_key 0;', '1 or more' ],
    [ 'hls_keys on; hls_fragments_per_key 1; hls_window 3m;', 'keys' ],
    [ 'hls_group a;', 'invalid number of arguments' ],
    [ 'hls_group a b; hls_group a c;', 'duplicate hls_group' ],
) {
    my ($line, $what) = @$case;

    $t->write_file_expand('refused.conf', <<"END_OF_CONF");
%%TEST_GLOBALS%%
events { }
media { $line }
END_OF_CONF

    my ($status, $text) = $t->test_config('refused.conf');

    ok($status != 0, "$line is refused");
    like($text, qr/emerg.*\Q$what\E/, "$line: why");
}

$t->write_file_expand('nginx.conf', <<'END_OF_CONF');
%%TEST_GLOBALS%%
daemon off;
worker_processes %%WORKERS%%;
events { }

media {
    zone 64m;
    republish_wait 4s;
    idle_timeout 2s;
    hls_window 8s;

    application on { hls on; }
    application ts { hls on; hls_container mpegts; }
    application apart { hls on; dash on; }
    application fast { hls on; hls_fragment 500ms; hls_window 2s;
        republish_wait 1s; }
    application secret { hls_keys on; hls_fragments_per_key 2; }
}

stream {
    server { listen 127.0.0.1:8035; rtmp { } }
}

http {
    %%TEST_GLOBALS_HTTP%%

    server {
        listen 127.0.0.1:8080;

        location / {
            flv_live;
            hls;
        }

        location /api/ {
            media_api write;
        }
    }
}
END_OF_CONF

$t->run();

my $rtmp = 'rtmp://127.0.0.1:' . port(8035);
my $http = 'http://127.0.0.1:' . port(8080);
my %published;

my @audio = qw/ -vn -af arealtime -c:a aac /;
my @video = qw/ -an -c:v libx264 -preset ultrafast -pix_fmt yuv420p -g 25
    -keyint_min 25 -bf 2 /;
my @long = qw/ -c:v libx264 -preset ultrafast -pix_fmt yuv420p -g 1000
    -sc_threshold 0 -c:a aac /;

sub publish {
    my ($name, %o) = @_;
    $published{$name} = $t->publish("$rtmp/$name", %o);
}

# on demand: what the ring has is there with the first request

publish('live/demand');
publish('on/both', gop => 50);
publish('fast/both', gop => 12);
publish('on/audio', codecs => \@audio);
publish('on/video', codecs => \@video);
publish('on/long', codecs => \@long);
publish('ts/both');
publish('apart/both');
publish('secret/both');

sleep 8;

my $start = time();
my $p;

ok(wait_until(sub {
    $p = playlist('/live/demand.hls.0.m3u8');
    return @{$p->{segments}} > 0;
}, 5), 'on demand');

cmp_ok(time() - $start, '<', 1, 'on demand: at once');
cmp_ok(scalar @{$p->{segments}}, '>=', 2, 'on demand: several segments');
cmp_ok($p->{msn}, '>=', time() - 100, 'numbers begin at the time');

# each kind of stream, side by side

my %what = ('on/both' => [], 'on/audio' => [ ], 'on/video' => [],
    'ts/both' => [], 'apart/both' => []);

for my $name (sort keys %what) {
    is(checked("/$name.m3u8", '--seconds=4'), '', "$name: check-hls");
}

my $master = get('/apart/both.m3u8')->{body};

like($master, qr/#EXT-X-MEDIA:TYPE=AUDIO.*URI="both\.hls\.a0\.m3u8"/,
    'a rendition for each track: audio');
like($master, qr/^both\.hls\.v0\.m3u8$/m,
    'a rendition for each track: video');

my $v = playlist('/apart/both.hls.v0.m3u8');
my $a = playlist('/apart/both.hls.a0.m3u8');

cmp_ok(abs($v->{last} - $a->{last}), '<=', 1,
    'a rendition for each track: the same numbers');
is(get('/apart/both.hls.v1.m3u8')->{status}, 404,
    'a rendition that is not there');

# keys: other ones every two segments

is(checked('/secret/both.m3u8', '--seconds=5'), '', 'keys: check-hls');

$p = playlist('/secret/both.hls.0.m3u8');

my @keys = $p->{text} =~ /METHOD=AES-128,URI="(both\.hls\.key\.\d+)"/g;
my %keys = map { get("/secret/$_")->{body} => 1 } @keys;

cmp_ok(scalar @keys, '>=', 2, 'keys: rotated');
is(scalar(grep { length == 16 } keys %keys), scalar @keys,
    'keys: each is another one');
is(length(get("/secret/$p->{segments}[-1]{uri}")->{body}) % 16, 0,
    'keys: whole blocks');
is(get('/secret/both.hls.key.1')->{status}, 404, 'keys: not that one');

# numbers that are ahead of the time: the next stream of the name begins there

$p = playlist('/fast/both.hls.0.m3u8');

my $given = $p->{last};

cmp_ok($p->{target}, '<=', 1, 'short segments');
$t->stop_daemon($published{'fast/both'});

ok(wait_until(sub {
    my $json = $t->api_get('/api/v1/streams/?count=100') or return;
    return !grep { $_->{app} eq 'fast' } @{$json->{streams}};
}, 20), 'short segments: the stream is over');

my $over = time();

publish('fast/both', gop => 12);

ok(wait_until(sub {
    $p = playlist('/fast/both.hls.0.m3u8');
    return @{$p->{segments}} > 0;
}, 10), 'short segments: another stream');

cmp_ok($given, '>', $over, 'short segments: numbers are ahead of the time');
cmp_ok($p->{msn}, '>', $given, 'short segments: none comes again');
$t->stop_daemon($published{'fast/both'});

# groups of pictures that are too long: cut inside, the target is kept

ok(hls_live('/on/long.hls.0.m3u8', 1, 20), 'a long GOP: the first segment');

$p = playlist('/on/long.hls.0.m3u8');

cmp_ok($p->{target}, '>=', 9, 'a long GOP: target duration');
unlike($p->{text}, qr/INDEPENDENT-SEGMENTS|DISCONTINUITY$/m,
    'a long GOP: not all segments are independent');

# the death of the publisher's worker, and its encoder comes back

$p = playlist('/on/both.hls.0.m3u8');

my $last = $p->{last};
my %before = map { $_->{uri} => get("/on/$_->{uri}")->{body} }
    @{$p->{segments}}[-2, -1];

$t->kill_worker($_) for $t->workers();

is(get("/on/$_")->{body} eq $before{$_}, 1, 'another worker serves the same')
    for sort keys %before;

ok(wait_until(sub { !$t->daemon_alive($published{'on/both'}) }, 10),
    'the encoder lost its server');

publish('on/both', gop => 50);

ok(wait_until(sub {
    $p = playlist('/on/both.hls.0.m3u8');
    return $p->{last} && $p->{last} >= $last + 3;
}, 20), 'goes on after a death');

is($p->{discontinuities}, 1, 'with one discontinuity');
ok(!$p->{ended}, 'it has not ended');

my @numbers = map { $_->{uri} =~ /(\d+)\.m4s/; $1 } @{$p->{segments}};

is(join(' ', @numbers), join(' ', $numbers[0] .. $numbers[-1]),
    'numbers without a hole');
is(checked('/on/both.m3u8', '--seconds=5'), '', 'after a death: check-hls');

# a publisher that stops and comes back

$last = playlist('/on/both.hls.0.m3u8')->{last};
$t->stop_daemon($published{'on/both'});
sleep 1;
publish('on/both', gop => 50);

ok(wait_until(sub {
    $p = playlist('/on/both.hls.0.m3u8');
    return $p->{last} && $p->{last} >= $last + 3;
}, 20), 'goes on after a republish');

cmp_ok($p->{discontinuities}, '>=', 1, 'republish: a discontinuity');

# reload: the old worker goes on cutting, new ones serve

$last = $p->{last};
my $discontinuities = $p->{text} =~ /DISCONTINUITY-SEQUENCE:(\d+)/ ? $1 : 0;

$discontinuities += $p->{discontinuities};

ok($t->reload(), 'reload');
is(checked('/on/both.m3u8', '--seconds=5'), '', 'through a reload: check-hls');

$p = playlist('/on/both.hls.0.m3u8');
$p->{text} =~ /DISCONTINUITY-SEQUENCE:(\d+)/;

is(($1 || 0) + ($p->{discontinuities} || 0), $discontinuities,
    'reload: no discontinuity');

# live players beside it lose nothing

my $flv = decoded_frames("$http/on/both.flv", '-read_intervals', '%+4');

is($flv->{errors}, '', 'a player beside it');
cmp_ok($flv->{video} || 0, '>=', 50, 'a player beside it: pictures');

# the end: playlists say so, and in the end all memory comes back

$t->stop_daemon($published{'on/both'});

ok(wait_until(sub { playlist('/on/both.hls.0.m3u8')->{ended} }, 10), 'ended');

my $ended = decoded_frames("$http/on/both.m3u8");

is($ended->{errors}, '', 'ended: it decodes');
cmp_ok($ended->{video} || 0, '>=', 100, 'ended: pictures');

$t->stop_daemons();

ok(wait_until(sub { !arena($t)->{used} }, 60), 'all memory comes back');

done_testing();
