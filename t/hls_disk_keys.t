#!/usr/bin/perl

# Copyright (C) the nginx media suite authors

# HLS on disk, encrypted: keys in files of their own, in both containers and
# for several renditions; they go with their segments, hold through a restart
# and the death of a worker, and what is on disk plays by itself.

use warnings;
use strict;

use Test::More;

BEGIN { use FindBin; chdir($FindBin::Bin); }

use lib 'lib';
use Test::Nginx;
use Test::Nginx::HLS;

use Time::HiRes qw/ sleep time /;

select STDERR; $| = 1;
select STDOUT; $| = 1;

my $t = Test::Nginx->new()->has(qw/http stream rtmp hls/)
    ->has_daemon('ffmpeg', 'ffprobe');

my $dir = $t->testdir();

$t->write_file_expand('nginx.conf', <<"END_OF_CONF");
%%TEST_GLOBALS%%
daemon off;
worker_processes %%WORKERS%%;
events { }

media {
    zone 64m;
    republish_wait 2s;
    hls_fragment 1s;
    hls_window 6s;
    hls_dispose 4s;
    hls_path $dir/hls;
    hls_keys on;
    hls_fragments_per_key 2;

    application live { }

    application ts {
        hls_container mpegts;
        hls_key_file keys/[app]/[stream]-[seq].key;
    }

    application url { hls_key_url https://keys.example.com/k; }
}

stream {
    server { listen 127.0.0.1:8035; rtmp { } }
}

http {
    %%TEST_GLOBALS_HTTP%%

    server {
        listen 127.0.0.1:8080;
        types {
            application/vnd.apple.mpegurl m3u8;
            video/mp4 mp4 m4s;
            video/mp2t ts;
        }
        location / { hls; }
        location /disk/ { alias $dir/hls/; }
        location /api/ { media_api; }
    }
}
END_OF_CONF

$t->run();

my $rtmp = 'rtmp://127.0.0.1:' . port(8035);
my $disk = "$dir/hls";
my $live = $t->publish("$rtmp/live/x");

$t->publish("$rtmp/ts/x");
$t->publish("$rtmp/url/x");

ok(wait_until(sub { listed('live/x.m3u8') >= 5 && listed('ts/x.m3u8') >= 5 },
    30), 'on disk');

my $p = on_disk('live/x.m3u8');
my @keys = keys_of($p);

is(scalar @keys, scalar @{$p->{segments}}, 'a key for each segment');
like($keys[0]{uri}, qr/^x-\d+\.key$/, 'its name');
cmp_ok(scalar(names(@keys)), '<=', @keys / 2 + 1.5, 'two segments for each');
cmp_ok(scalar(names(@keys)), '>=', 2, 'keys change');
is(scalar(grep { (-s "$disk/live/$_" // 0) != 16 } names(@keys)), 0,
    'they are there');
is(scalar(names(map { $_->{iv} } @keys)), 0 + @keys,
    'a vector for each segment');
is(scalar(grep { (-s "$disk/live/$_->{uri}") % 16 } @{$p->{segments}}), 0,
    'whole blocks');

like(on_disk('ts/x.m3u8')->{text}, qr!URI="\.\./keys/ts/x-\d+\.key",IV=0x!,
    'a directory of their own');
ok(wait_until(sub { listed('url/x.m3u8') >= 2 }, 10), 'keys elsewhere');
like(on_disk('url/x.m3u8')->{text},
    qr!URI="https://keys\.example\.com/k/url/x-\d+\.key"!, 'hls_key_url');
like(get('/live/x.hls.0.m3u8')->{body}, qr/URI="x\.hls\.key\.\d+"\n/,
    'those in memory have their own names');

for my $app (qw/ live ts /) {
    is(checked("/disk/$app/x.m3u8", '--poll', '--seconds=4'), '',
        "$app: check-hls");
    plays($app, "$app: plays");
}

# the death of the worker, and its encoder comes back

my $last = on_disk('live/x.m3u8')->{last};

$t->kill_worker($_) for $t->workers();

ok(wait_until(sub { !$t->daemon_alive($live) }, 10), 'workers died');

$live = $t->publish("$rtmp/live/x");

ok(wait_until(sub { (on_disk('live/x.m3u8')->{last} // 0) > $last + 2 }, 20),
    'goes on after a death');
plays('live', 'after a death: plays');

# restart of nginx: numbers go on, vectors are others than those

$last = on_disk('live/x.m3u8')->{last};

$t->stop();
$t->run();

$live = $t->publish("$rtmp/live/x");

ok(wait_until(sub { (on_disk('live/x.m3u8')->{last} // 0) > $last + 2 }, 20),
    'goes on after a restart');

$p = on_disk('live/x.m3u8');

cmp_ok($p->{msn}, '<=', $last, 'after a restart: old ones are there');
is(scalar(grep { (-s "$disk/live/$_" // 0) != 16 } names(keys_of($p))), 0,
    'after a restart: with their keys');
plays('live', 'after a restart: plays');

# keys go with their segments

my $first = (keys_of($p))[0]{uri};

ok(wait_until(sub { ! -e "$disk/live/$first" }, 20), 'old keys go');
cmp_ok(scalar(() = glob "$disk/live/*.key"), '<=', 8, 'keys that are there');

$t->stop_daemons();

ok(wait_until(sub { !(() = glob("$disk/live/* $disk/keys/ts/*")) }, 30),
    'disposal takes the keys too');

done_testing();

###############################################################################

sub on_disk {
    my ($file) = @_;
    open my $fh, '<', "$disk/$file" or return { segments => [], text => '' };
    local $/;
    return parse(scalar <$fh>);
}

sub listed { return scalar @{on_disk($_[0])->{segments}} }

sub keys_of {
    my ($p) = @_;
    my @keys;

    while ($p->{text} =~ /METHOD=AES-128,URI="([^"]+)",IV=0x([0-9a-f]{32})$/mg) {
        push @keys, { uri => $1, iv => $2 };
    }

    return @keys;
}

sub names {
    my %seen = map { (ref $_ ? $_->{uri} : $_) => 1 } @_;
    return my @names = sort keys %seen;
}

sub plays {
    my ($app, $what) = @_;

    my $f = decoded_frames('http://127.0.0.1:' . port(8080)
        . "/disk/$app/x.m3u8", '-allowed_extensions', 'ALL',
        '-live_start_index', 0, '-read_intervals', '%+4');

    is($f->{errors}, '', $what);
    cmp_ok($f->{video} // 0, '>=', 60, "$what: pictures");
}
