#!/usr/bin/perl

# Copyright (C) the nginx media suite authors

# Recordings over HTTP: files with ranges, playlists whose ranges of bytes are
# the files, ranges of time as one MP4 with the frames that were published;
# while it is recorded and afterwards; who may; what is damaged or planted.

use warnings;
use strict;

use Test::More;

BEGIN { use FindBin; chdir($FindBin::Bin); }

use lib 'lib';
use Test::Nginx;
use Test::Nginx::DVR;
use Test::Nginx::Hook;

use List::Util qw/ sum max /;
use Time::HiRes qw/ sleep time /;

select STDERR; $| = 1;
select STDOUT; $| = 1;

my $t = Test::Nginx->new()->has(qw/http stream rtmp flv_live hls/)
    ->has_daemon('ffmpeg', 'ffprobe');

my $dir = $t->testdir();
my $live = port(8080);

# nginx's own modules, where it has them

my $built = `$Test::Nginx::NGINX -V 2>&1`;
my $has = $built =~ /http_mp4_module/ && $built =~ /http_flv_module/;
my $own = $has ? <<"END_OF_CONF" : '';
location ~ \\.mp4\$ { root $dir/rec; mp4; }
        location ~ \\.flv\$ { root $dir/rec; flv; }
END_OF_CONF

$t->write_file_expand('nginx.conf', <<"END_OF_CONF");
%%TEST_GLOBALS%%
daemon off;
worker_processes %%WORKERS%%;
events { }

media {
    zone 128m;
    republish_wait 1s;
    dvr on;
    dvr_gap 0;
    hls_fragment 1s;
    dvr_path $dir/rec/[app]/[stream].[timestamp].mp4;

    application seg { dvr_plan segment; dvr_duration 2s; }
    application ts { dvr_path $dir/rec/[app]/[stream].[timestamp].ts; }
    application flv { dvr_path $dir/rec/[app]/[stream].[timestamp].flv; }
    application prog { dvr_mp4 progressive;
                       dvr_path $dir/rec/[app]/[stream].mp4; }
    application shut { deny play all; }
    application hook { on_play http://127.0.0.1:8085/play;
                       on_stop http://127.0.0.1:8085/stop; }
}

stream {
    server { listen 127.0.0.1:%%PORT_1935%%; rtmp { } }
}

http {
    %%TEST_GLOBALS_HTTP%%

    sendfile on;

    server {
        listen 127.0.0.1:8080;

        # little is held back until there is more: it must not be waited for
        postpone_output 16000;

        location / {
            root $dir/rec;
            flv_live;
            hls;
            hls_vod;
            media_recordings;
        }

        location /api/ { media_api write; }
        location /slow/ { media_recordings; limit_rate 4k; }
    }

    server {
        listen 127.0.0.1:8081;

        $own
    }

    server {
        listen 127.0.0.1:8082 sndbuf=8k;
        send_timeout 1s;
        output_buffers 1 8k;
        location / { media_recordings; sendfile off; }
    }
}
END_OF_CONF

my $hook = Test::Nginx::Hook->new($t, port(8085));

$t->run();

my $m = media($t, 'clip', seconds => 6, gop => 12);
my $n = $#{$m->{frames}};
my ($first) = grep { $m->{frames}[$_]{type} == 9 } 0 .. $n;

my @names = qw! live/x seg/x ts/x flv/x prog/x shut/x hook/x !;
my $p = sender($t, $m, names => \@names);

# while it is recorded

ok($p->wait_sent(3600), 'publishing');

like(get('/live/x.m3u8'), qr/\.hls\./, 'live wins');

my ($id) = ids('live/x');
my $open = get("/live/x.m3u8?id=$id");

like($open, qr/^#EXT-X-PLAYLIST-TYPE:EVENT$/m, 'open: EVENT');
unlike($open, qr/ENDLIST/, 'open: no end');

my ($r, $from) = http_get("/live/x.rec.$id.mp4");

is(http_status($r), 200, 'open: the file');
like(head($r), qr/^Cache-Control: no-cache/mi, 'open: not to be cached');
ok(length(http_content($r)) > 10000, 'open: as long as it is');
is(http_status(http_get("/live/x.mp4?start=0")), 200, 'open: export');

my $sent = $p->end(whole => 1);

is($sent->{said}, '', 'published');

ok(wait_until(sub {
    (grep { $_->{state} ne 'complete' } recs()) == 0 && ids('seg/x') >= 3
        && ids('prog/x') == 1 }, 10), 'whole');
is(ids('live/x'), 1, 'one recording');

sleep 1.2;

# a playlist that was open goes on with what it said

my $list = get('/live/x.m3u8');

is($list, get("/live/x.m3u8?id=$id"), 'all of it, or by id');

my @was = $open =~ /^#EXTINF:.*\n.*\n.*$/mg;
my @now = $list =~ /^#EXTINF:.*\n.*\n.*$/mg;

ok(@was >= 1 && @now > @was, 'more segments');
is("@now[0 .. $#was]", "@was", 'the first ones are the same');

# lists

my $rec = (recs('live/x'))[0];
my $file = slurp("$dir/rec/$rec->{file}");

is(faults($list, $rec->{duration}), '', 'playlist');
ok(assemble('/live', $list) eq $file, 'segments are the file');
like($list, qr/^#EXT-X-MAP:URI="x\.rec\.$id\.mp4",BYTERANGE="\d+\@0"$/m,
    'init segment');
like($list, qr/^#EXT-X-PLAYLIST-TYPE:VOD\n(.*\n)*#EXT-X-ENDLIST\n\z/m, 'VOD');
like(head(http_get("/live/x.m3u8?id=$id")), qr/^Cache-Control: max-age=600\r$/mi,
    'to be cached');
is(get('/live/x.m3u8?token=a%22b&x=1&start=0&_HLS_msn=1') =~
    /^x\.rec\.$id\.mp4\?token=a%22b&x=1$/m ? 1 : 0, 1, 'arguments go on');

my $ts = get('/ts/x.m3u8');
my ($tsrec) = recs('ts/x');

is(faults($ts, $tsrec->{duration}), '', 'MPEG-TS: playlist');
ok(assemble('/ts', $ts) eq slurp("$dir/rec/$tsrec->{file}"),
    'MPEG-TS: segments are the file');
unlike($ts, qr/EXT-X-MAP/, 'MPEG-TS: no init');

my $seg = get('/seg/x.m3u8');
my @seg = sort { $a->{begin} <=> $b->{begin} } recs('seg/x');

is(faults($seg, sum(map { $_->{duration} } @seg)), '', 'several: playlist');
is(() = $seg =~ /EXT-X-DISCONTINUITY/g, $#seg, 'several: discontinuities');
is(() = $seg =~ /EXT-X-MAP/g, @seg, 'several: init segments');
is(() = $seg =~ /PROGRAM-DATE-TIME/g, @seg, 'several: dates');

for my $u (qw! /live/x.m3u8 /seg/x.m3u8 /ts/x.m3u8 !) {
    my ($rc, $out) = Test::Nginx::MP4::run(qw/ ffprobe -v error -count_packets
        -select_streams v -show_entries stream=nb_read_packets -of csv=p=0 /,
        "http://127.0.0.1:$live$u");
    my ($count) = $out =~ /^(\d+)/;
    my $want = grep { $_->{type} == 9 } @{$m->{frames}};

    is($count, $want, "$u: frames by ffprobe") or diag($out);
}

# a part of it

my $b = $rec->{begin};
my $part = get('/live/x.m3u8?start=' . ($b + 2100) . '&end=' . ($b + 3100));

my ($date) = $part =~ /PROGRAM-DATE-TIME:(\S+)/;
my $sum = sum($part =~ /EXTINF:([\d.]+)/g);

ok($sum >= 1 && $sum <= 2.1, "a part: $sum s");
like($part, qr/ENDLIST/, 'a part: its end');
is(get("/live/x.m3u8?start=$date&end=" . ($b + 3100)), $part,
    'a part: by its date');

is(http_status(http_get('/live/x.m3u8?start=' . ($b + 3600000))), 404,
    'nothing in the range');
is(http_status(http_get('/live/none.m3u8')), 404, 'no such stream');

# what can not be a playlist

for my $u (qw! /flv/x.m3u8 /prog/x.m3u8 /flv/x.mp4?start=0
    /prog/x.mp4?start=0 /ts/x.mp4?start=0 !)
{
    is(http_status(http_get($u)), 404, "$u: not of that form");
}

like($t->read_file('error.log'), qr/1 recordings of "flv\/x" are left out/,
    'and a line tells');

# files

my $uri = "/live/x.rec.$id.mp4";

$r = http_get($uri);

ok(http_content($r) eq $file, 'file');
like(head($r), qr!^Content-Type: video/mp4\r$!mi, 'type');
like(head($r), qr!^Accept-Ranges: bytes\r$!mi, 'ranges');

my ($etag) = $r =~ /^ETag: (\S+)/mi;

is(http_status(http("GET $uri HTTP/1.0\r\nIf-None-Match: $etag\r\n\r\n")), 304,
    'not modified');

$r = http("GET $uri HTTP/1.0\r\nRange: bytes=100-199\r\n\r\n");

is(http_status($r), 206, 'a range');
ok(http_content($r) eq substr($file, 100, 100), 'bytes of it');

$r = http_head($uri);

is(http_status($r), 200, 'HEAD');
like(head($r), qr/^Content-Length: @{[ length $file ]}\r$/mi, 'HEAD: length');
is(http_status(http("POST $uri HTTP/1.0\r\nContent-Length: 0\r\n\r\n")), 405,
    'POST');
is(http_status(http("OPTIONS $uri HTTP/1.0\r\n\r\n")), 204, 'OPTIONS');

my ($flvid) = ids('flv/x');

$r = http_get("/flv/x.rec.$flvid.flv");

ok(http_content($r) eq slurp("$dir/rec/" . (recs('flv/x'))[0]{file}),
    'FLV, beside live FLV');
like(head($r), qr!^Content-Type: video/x-flv\r$!mi, 'FLV: type');

for my $u ("/live/y.rec.$id.mp4", "/live/x.rec.$id.flv", "/seg/x.rec.$id.mp4",
    "/live/x.rec.0000000000000000.mp4", "/live/x.rec.ffffffffffffffff.mp4",
    '/live/x.rec.' . uc($id) . 'z.mp4', "/live/x.rec.$flvid.flv")
{
    isnt(http_status(http_get($u)), 200, "$u: no such");
}

# exports

my $export = export('/live/x.mp4?start=0');
my $got = recording($m, $export, jumps => 1);

is($got->{fault}, '', 'export: frames of the clip');
is(lacks($m, [ $first, $n ], $got), '', 'export: all of them');
is(plays($export), '', 'export: plays');

my $joined = export('/seg/x.mp4?start=0');

$got = recording($m, $joined, jumps => 1, rebased => 1);

is(lacks($m, [ $first, $n ], $got), '', 'several files: all frames');
is(plays($joined), '', 'several files: plays');

my $s0 = $seg[0]{begin};

$r = http_get('/seg/x.mp4?start=' . ($s0 + 1600) . '&end=' . ($s0 + 2600));
my ($rb, $re) = $r =~ /^X-Media-Range: (\d+)-(\d+)\r$/mi;

ok($rb <= $s0 + 1600 && $rb > $s0 + 1000, 'a range: begins at a keyframe');
ok($re >= $s0 + 2500 && $re < $s0 + 3200, 'a range: ends at one');
like(head($r), qr/^Content-Disposition: attachment; filename="x-\d+\.mp4"/mi,
    'a range: a name');

spew("$dir/part.mp4", http_content($r));
is(plays("$dir/part.mp4"), '', 'a range: plays');
is($r =~ /^Content-Length: (\d+)/mi && $1, length(http_content($r)),
    'a range: length');

my ($rc, $out) = Test::Nginx::MP4::run(qw/ ffprobe -v error -show_entries
    format=start_time -of csv=p=0 /, "$dir/part.mp4");

ok($out >= 0 && $out < 0.1, 'a range: from 0');

$r = http_head('/seg/x.mp4?start=0');

is(http_status($r), 200, 'export: HEAD');
like(head($r), qr/^Content-Length: @{[ -s $joined ]}\r$/mi, 'export: HEAD: length');

for my $q (qw! start=x start=-5 start=5 end=5 start=2026-11-20 id=x&start=0
    start=1795181628000&end=1795181627000 !)
{
    is(http_status(http_get("/live/x.mp4?$q")), 400, "$q: bad");
}

is(http_status(http_get('/live/x.mp4?start=' . ($b + 3600000))), 404,
    'export: nothing there');
is(http_status(http_get('/live/x.mp4')), 404, 'export: no range, no file');
is(http_status(http_get('/prog/x.mp4')), 200, 'a file that lies there');

# clients that are slow or go away

my $bytes = slow('/live/x.mp4?start=0', 8082);

is($bytes, -s $export, 'slow: all of it');

for my $i (1 .. 20) {
    my $s = http_start("GET /live/x.mp4?start=0 HTTP/1.0\r\n\r\n",
        start => 1, port => 8082) or next;
    sysread $s, my $buf, 100 if $i % 2;
    close $s;
}

is(http_status(http_get('/live/x.m3u8')), 200, 'gone: nothing else suffers');

# who may

is(http_status(http_get("/shut/x.m3u8?start=0")), 403, 'denied: playlist');
is(http_status(http_get("/shut/x.mp4?start=0")), 403, 'denied: export');
is(http_status(http_get('/shut/x.rec.' . (ids('shut/x'))[0] . '.mp4')), 403,
    'denied: file');

# viewers

my $master = get('/hook/x.m3u8?token=t');

like($master, qr/^#EXT-X-STREAM-INF:BANDWIDTH=\d+\n
    x\.m3u8\?hls_ctx=[0-9a-z]{8}&token=t&start=\d+\n\z/mx, 'a viewer: a list');

my ($child) = $master =~ /^(x\.m3u8.*)$/m;
my ($ctx) = $child =~ /hls_ctx=(\w+)/;
my $hlist = get("/hook/$child");

like($hlist, qr/^x\.rec\.\w+\.mp4\?hls_ctx=$ctx&token=t$/m, 'a viewer: its id');
is(faults($hlist, (recs('hook/x'))[0]{duration}), '', 'a viewer: playlist');
ok(assemble('/hook', $hlist)
    eq slurp("$dir/rec/" . (recs('hook/x'))[0]{file}), 'a viewer: segments');
is(scalar($hook->requests('/play')), 1, 'on_play once');

$hook->answer('/play', body => '1');

my ($hid) = ids('hook/x');

is(http_status(http_get('/hook/x.m3u8')), 403, 'refused: playlist');
is(http_status(http_get("/hook/x.rec.$hid.mp4")), 403, 'refused: file');
is(http_status(http_get("/hook/x.rec.$hid.mp4?hls_ctx=00000000")), 403,
    'refused: an id that is none');
is(http_status(http_get("/hook/x.rec.$hid.mp4?hls_ctx=../../..")), 404,
    'an id that can be none');
is(http_status(http_get('/hook/x.mp4?start=0')), 403, 'refused: export');
is(http_status(http_get("/hook/x.rec.$hid.mp4?hls_ctx=$ctx")), 200,
    'who is known goes on');

# what else serves files

SKIP: {
skip 'nginx without its mp4 and flv modules', 5 unless $has;

my $whole = slurp("$dir/rec/prog/x.mp4");

$r = http_get('/prog/x.mp4?start=2', port => 8081);
is(http_status($r), 200, 'mp4: start');
ok(length(http_content($r)) < 0.9 * length $whole, 'mp4: less of it');
spew("$dir/seek.mp4", http_content($r));
is(plays("$dir/seek.mp4"), '', 'mp4: plays');

my ($fname) = map { $_->{file} } recs('flv/x');
my $flv = slurp("$dir/rec/$fname");
my $pos = key_of($flv, 3);

$r = http_get("/$fname?start=$pos", port => 8081);
is(http_status($r), 200, 'flv: start');
ok(http_content($r) eq "FLV\x01\x05\0\0\0\x09\0\0\0\0"
    . substr($flv, $pos), 'flv: from a position of its index');
}

# what is damaged or planted

my ($idx) = glob "$dir/rec/.dvr/*/$id.idx";
my $index = slurp($idx);

for my $bad ('', 'x', "\xff" x 64, substr($index, 0, 20), "\0" x 160,
    $index . "\xff" x 33, join '', reverse $index =~ /(.{16})/gs)
{
    spew($idx, $bad);

    my $l = get('/live/x.m3u8');

    ok(assemble('/live', $l) eq $file && faults($l, $rec->{duration}) eq '',
        'damaged index: segments are the file');
    like(http_status(http_get('/live/x.mp4?start=' . ($b + 2000))), qr/200|404/,
        'damaged index: export');
}

unlink $idx;
is(() = get('/live/x.m3u8') =~ /EXTINF/g, 1, 'no index: one segment');
is(length(http_content(http_get('/live/x.mp4?start=0'))), -s $export,
    'no index: export');

spew($idx, $index);

my $path = "$dir/rec/$rec->{file}";

srand 1;

for my $i (1 .. 24) {
    my $bad = $file;

    substr $bad, int(rand 4000), 4, pack 'N', rand 2 ** 32 for 1 .. $i;
    $bad = substr $bad, 0, rand length $bad if $i % 3 == 0;
    spew($path, $bad);

    http_get($_) for '/live/x.mp4?start=0', '/live/x.m3u8',
        '/live/x.mp4?start=' . ($b + 2000), $uri;
}

rename $path, "$path.off" or die;
symlink "$path.off", $path or die;
is(http_status(http_get($uri)), 404, 'a symbolic link is no recording');
unlink $path;
is(http_status(http_get($uri)), 404, 'the file is gone');
is(http_status(http_get('/live/x.mp4?start=0')), 404, 'gone: export');
is(http_status(http_get('/live/x.m3u8')), 404, 'gone: playlist');

spew($path, $file);
ok(http_content(http_get($uri)) eq $file, 'and is back');

my ($day) = glob "$dir/rec/.dvr/*/20??????";

for my $d (glob "$dir/rec/.dvr/*/20??????") {
    my $lines = slurp($d);

    $lines =~ s!\Q$rec->{file}\E!../nginx.conf! or next;
    unlink $d;
    spew($d, $lines);
    is(http_status(http_get($uri)), 404, 'a name that leads out of it');
}

is(http_status(http_get('/seg/x.m3u8')), 200, 'others are well');

done_testing();

###############################################################################

sub get {
    my ($u) = @_;

    return http_content(http_get($u)) // '';
}

sub head { return $_[0] =~ s/\r\n\r\n.*/\r\n/sr }

sub recs {
    my ($name) = @_;

    my $a = $t->api_get('/api/v1/recordings/?count=100') || {};

    return grep { !$name || "$_->{app}/$_->{stream}" eq $name }
        @{$a->{recordings} || []};
}

sub ids { return map { $_->{id} } recs(@_) }

sub export {
    my ($u) = @_;

    my $name = "$dir/export-" . ($u =~ s/\W/-/gr) . '.mp4';

    spew($name, get($u));

    return $name;
}

sub slurp {
    open my $fh, '<:raw', $_[0] or return '';
    local $/;
    return scalar(<$fh>) // '';
}

sub spew {
    open my $fh, '>:raw', $_[0] or die "$_[0]: $!";
    print $fh $_[1];
    close $fh;
}

# '' or what is wrong with a playlist that lasts ms

sub faults {
    my ($l, $ms) = @_;

    my @d = $l =~ /^#EXTINF:([\d.]+),\n#EXT-X-BYTERANGE:\d+\@\d+\n[^#]/mg;
    my ($target) = $l =~ /^#EXT-X-TARGETDURATION:(\d+)$/m;

    return 'no segments' unless @d;
    return "target $target, longest " . max(@d)
        if int(max(@d) + 0.5) > $target;
    return 'lasts ' . sum(@d) . " of $ms" if abs(sum(@d) * 1000 - $ms) > 2;
    return 'begins with ' . substr $l, 0, 7 unless $l =~ /\A#EXTM3U\n/;
    return '';
}

# the bytes that it names, in their order

sub assemble {
    my ($base, $l) = @_;

    my $all = '';
    while ($l =~ /URI="([^"]+)",BYTERANGE="(\d+)\@(\d+)"
        |BYTERANGE:(\d+)\@(\d+)\n([^#\n]+)/xg)
    {
        my ($u, $n, $o) = defined $1 ? ($1, $2, $3) : ($6, $4, $5);

        my $r = http("GET $base/$u HTTP/1.0\r\nRange: bytes=$o-"
            . ($o + $n - 1) . "\r\n\r\n");

        return "status " . http_status($r) unless http_status($r) == 206;
        $all .= http_content($r);
    }

    return $all;
}

# reads slowly, with a small window

sub slow {
    my ($u, $port) = @_;

    my $s = http_start("GET $u HTTP/1.0\r\n\r\n", start => 1, port => $port)
        or return -1;
    my $all = '';

    while (sysread $s, $all, 16384, length $all) {
        sleep 0.01;
    }

    return length(http_content($all));
}

# where the nth keyframe of an FLV begins

sub key_of {
    my ($data, $nth) = @_;

    my $pos = 13;

    while ($pos + 11 < length $data) {
        my ($type, $hi, $lo) = unpack 'CCn', substr $data, $pos, 4;
        my ($b0, $b1) = unpack 'CC', substr $data, $pos + 11, 2;

        return $pos if $type == 9 && $b0 >> 4 == 1 && $b1 == 1 && !--$nth;
        $pos += 15 + ($hi << 16 | $lo);
    }

    return 0;
}
