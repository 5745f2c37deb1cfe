#!/usr/bin/perl

# Copyright (C) the nginx media suite authors

# Recordings over HTTP and in the API, for clients that ask for anything and
# disks on which anything was written: odd values, playlists that would fill
# the memory, boxes whose lengths are bent, indexes and lists of garbage.

use warnings;
use strict;

use Test::More;

BEGIN { use FindBin; chdir($FindBin::Bin); }

use lib 'lib';
use Test::Nginx;
use Test::Nginx::DVR;

use Digest::MD5 qw/ md5_hex /;
use POSIX qw/ mkfifo strftime /;
use Time::HiRes qw/ sleep time /;

select STDERR; $| = 1;
select STDOUT; $| = 1;

my $t = Test::Nginx->new()->has(qw/http stream rtmp flv_live hls/)
    ->has_daemon('ffmpeg');

my $dir = $t->testdir();

$t->write_file_expand('nginx.conf', <<"END_OF_CONF");
%%TEST_GLOBALS%%
daemon off;
worker_processes 1;
thread_pool default threads=8 max_queue=16;
events { }

media {
    republish_wait 1s;
    dvr on;
    dvr_gap 0;
    dvr_path $dir/rec/[app]/[stream].mp4;
    application shut { deny play all; }
    vhost other.test { application live { } }
    vhost keyed.test {
        application live { media_sign hmac_sha256 0123456789abcdef play; }
    }
}

stream {
    server { listen 127.0.0.1:%%PORT_1935%%; rtmp { } }
}

http {
    %%TEST_GLOBALS_HTTP%%

    server {
        listen 127.0.0.1:8080 sndbuf=32k;

        location / { hls_vod; media_recordings; }
        location /api/ { media_api write; }
    }
}
END_OF_CONF

$t->run();

my $m = media($t, 'clip', seconds => 3, gop => 25);

sender($t, $m, names => [ 'live/x', 'shut/x' ], speed => 2)->end(whole => 1);

ok(wait_until(sub { 2 == grep { $_->{state} eq 'complete' } recs() }, 10),
    'recorded');

my ($rec) = recs('live/x');
my ($shut) = recs('shut/x');
my ($id, $from) = @$rec{qw/ id begin /};
my $uri = "/live/x.rec.$id.mp4";
my $path = "$dir/rec/$rec->{file}";
my $file = slurp($path);
my $md5 = md5_hex("$rec->{vhost}/live/x");

# values

my %odd;

for my $v (0, -1, 'NaN', 2 ** 53, '9223372036854775808', '18446744073709551616',
    '1e9', '0x10', '%00', '1%00', '9' x 500, '-', '--1', '+', '%', '%2', '..',
    '..%2f..%2f', "\xff", '%ff%fe', '%0d%0aX:%201', '1970-01-01T00:00:00%2B23:59',
    '9999-12-31T23:59:60Z', '2026-99-99T99:99:99Z', $from - 1, "$from.5", '%31%32',
    'a' x 4000)
{
    for my $u ("/live/x.mp4?start=$v", "/live/x.mp4?start=0&end=$v",
        "/live/x.m3u8?start=$v", "/live/x.m3u8?start=$from&end=$v",
        "/live/x.m3u8?id=$v", "/live/x.m3u8?vhost=$v", "/live/x.rec.$v.mp4",
        "/live/x.rec.$id.$v", "/$v/x.m3u8?start=0", "/live/$v.mp4?start=0",
        "/api/v1/recordings/$v", "/api/v1/recordings/?from=$v&to=$v",
        "/api/v1/recordings/?start=$v&count=$v",
        "/api/v1/recordings/?vhost=$v&app=$v&stream=$v")
    {
        my $s = status(http_get($u));

        $odd{"$s $u"}++ unless $s =~ /^(200|400|404|414)$/;
    }

    for my $range ("$v-", "-$v", "0-$v", "$v-$v", "0-0,$v-") {
        next if $v =~ /[^ -~]/;

        my $s = status(http("GET $uri HTTP/1.0\r\nRange: bytes=$range\r\n\r\n"));

        $odd{"$s $range"}++ unless $s =~ /^(200|206|416)$/;
    }
}

is(join("\n", sort keys %odd), '', 'odd values');

# who may: names of another stream, application or host give nothing

is(status(http_get("/shut/x.rec.$shut->{id}.mp4")), 403, 'denied');

for my $u ("/live/x.rec.$shut->{id}.mp4", "/live/x.m3u8?id=$shut->{id}",
    "/live/%2e%2e/shut/x.rec.$shut->{id}.mp4", "/live/.dvr/$md5/names",
    "/shut%2fx.rec.$shut->{id}.mp4", "/shut/x.m3u8?id=$id",
    "$uri?vhost=other.test", "$uri?vhost=keyed.test",
    "/live/x.m3u8?id=$id&vhost=other.test",
    "/live/x.m3u8?id=$id&vhost=keyed.test",
    "/live/x.mp4?start=0&vhost=other.test",
    "/live/x.mp4?start=0&vhost=keyed.test")
{
    isnt(status(http_get($u)), 200, "not by $u");
}

like(status(http("GET $uri HTTP/1.1\r\nHost: other.test\r\n"
    . "Connection: close\r\n\r\n")), qr/404/, 'not by another host');
is(status(http("GET $uri HTTP/1.1\r\nHost: keyed.test\r\n"
    . "Connection: close\r\n\r\n")), 403, 'nor without its token');

# playlists whose lines are long: memory is bounded, and nobody gets a part
# that looks like all of it

my $big = plant('big', map { [ $from - 8000000 + $_ * 800, 800, $rec->{file} ] }
    0 .. 3999);
my $token = '/live/big.m3u8?token=' . 'a' x 3000;

is(() = http_content(http_get('/live/big.m3u8')) =~ /EXTINF/g, 4000,
    'a long playlist');
is(status(http_get($token . 'a' x 4000)), 500, 'one that is too long');

my @slow = map { http_start("GET $token HTTP/1.0\r\n\r\n", start => 1) } 1 .. 12;
my %got;

for my $s (@slow) {
    sysread $s, my $head, 64;
    $got{status($head)}++;
}

ok(($got{200} || 0) <= 4, 'slow clients do not fill the memory')
    or diag(explain(\%got));
is(($got{200} || 0) + ($got{503} || 0), 12, 'the others are told');
is(status(http_get('/api/v1/versions')), 200, 'the worker answers');

close $_ for @slow;

ok(wait_until(sub { status(http_get($token)) == 200 }, 10),
    'and have it when the first ones are gone');

unlink glob "$big/2*";
spew("$big/$_->[0]", $_->[1]) for entries('big',
    map { [ $from - 800000 + $_ * 8000, 8000, $rec->{file} ] } 0 .. 19);

# more than threads take: some are refused, before they have an answer or amid
# it, and nobody hangs

my @many = map { http_start("GET $_ HTTP/1.0\r\n\r\n", start => 1) }
    map { ('/live/big.mp4?start=0', '/api/v1/recordings/?count=10') } 1 .. 60;

%got = ();

for my $s (@many) {
    local $SIG{ALRM} = sub { die "it hangs\n" };
    my $all = '';

    eval {
        alarm 20;
        while (sysread $s, my $buf, 65536) {
            $all = $buf if $all eq '';
        }
        alarm 0;
    };

    alarm 0;
    $got{$@ ? 'hangs' : status($all)}++;
}

is(join(' ', grep { !/^(200|503)$/ } keys %got), '', 'threads are short')
    or diag(explain(\%got));

# names that nobody can publish

plant("a\n2020/01/01 [alert] b", [ $from, 800, $rec->{file} ]);
is(scalar(grep { $_->{stream} =~ /alert/ } recs()), 0, 'no lines in names');

# boxes of other lengths

my (%bad, $n);

for my $pos (boxes($file)) {
    my $size = unpack 'N', substr $file, $pos, 4;

    for my $to (0, 1, 7, 8, $size - 1, $size + 1, 2 ** 31 - 1, 2 ** 32 - 1) {
        my $data = $file;

        substr $data, $pos, 4, pack 'N', $to;
        spew($path, $data);
        $n++;

        for my $u ('/live/x.m3u8', '/live/x.mp4?start=0') {
            my $begun = time();
            my $s = status(http_get($u));

            $bad{"$s $u: $pos is $to"}++ unless $s =~ /^(200|404)$/
                && time() - $begun < 3;
        }
    }
}

is(join("\n", sort keys %bad), '', "$n lengths");
spew($path, $file);

# a file that changes under a client

# nginx itself tells of one that is shorter than it was with level alert

$t->allow_alerts(qr/read only \d+ of \d+ from "|was truncated at/);

my $short = sub { truncate $path, 1000 };

for my $how ($short, sub { unlink $path },
    sub { unlink $path; spew($path, 'x' x length $file) })
{
    for my $u ($uri, '/live/x.mp4?start=0') {
        next if $u eq $uri && $how == $short;

        my $s = http_start("GET $u HTTP/1.0\r\n\r\n", start => 1);

        sysread $s, my $head, 16;
        $how->();
        local $SIG{ALRM} = sub { die "it hangs\n" };
        is(eval { alarm 8; 1 while sysread $s, $head, 65536; alarm 0; 1 }, 1,
            "$u: it changes meanwhile");
        alarm 0;
        spew($path, $file);
    }
}

# lists of recordings, and their indexes

my ($day) = glob "$dir/rec/.dvr/$md5/2*";
my $lines = slurp($day);
my $far = "$dir/rec/.dvr/$md5/20200101";

my @garbage = ("\0" x 1000000, "\n" x 1000000, 'x' x 1000000 . "\n",
    "$id\t" x 10000 . "\n", join('', map { chr rand 256 } 1 .. 100000),
    $lines =~ s/\t\d+\t/\t999999999999999\t/r,
    $lines =~ s/\t(\d+)\t/\t-1\t/r, $lines =~ s/\t(\d+)\tmp4/\t999999999999999\tmp4/r,
    $lines =~ s/live/.dvr/r, $lines =~ s!live/x!../../../etc/passwd!r,
    "$lines$lines$lines");

for my $i (0 .. $#garbage) {
    unlink $far;
    spew($far, $garbage[$i]);
    is(sound(), '', "garbage $i beside it");

    unlink $day;
    spew($day, $garbage[$i] . "\n" . $lines);
    is(sound(), '', "garbage $i before it");
}

unlink $day;
spew($day, $lines);

for my $what ([ 'a directory', sub { mkdir $far } ],
    [ 'a pipe', sub { mkfifo($far, 0666) } ],
    [ 'a link', sub { symlink '/etc/passwd', $far } ],
    [ 'a huge one', sub { spew($far, ''); truncate $far, 2 ** 42 } ],
    [ 'one not to be read', sub { spew($far, ''); chmod 0, $far } ])
{
    unlink $far;
    $what->[1]->();
    is(sound(), '', "$what->[0] beside it");
    rmdir $far;
}

unlink $far;

my ($idx) = glob "$dir/rec/.dvr/$md5/$id.idx";

truncate $idx, 2 ** 42 or die;

for my $u ('/live/x.m3u8', '/live/x.mp4?start=0') {
    my $begun = time();

    is(status(http_get($u)), 200, "$u: an index without an end");
    cmp_ok(time() - $begun, '<', 5, "$u: it is not read for ever");
}

is(sound(), '', 'all is well');

$t->stop();

done_testing();

###############################################################################

# What is wrong with the recording, and the lists of it?

sub sound {
    my $begun = time();
    my @fault;

    push @fault, 'file' if http_content(http_get($uri)) ne $file;
    push @fault, 'playlist' if status(http_get('/live/x.m3u8')) != 200;
    push @fault, 'export' if status(http_get('/live/x.mp4?start=0')) != 200;
    push @fault, 'API' if !grep { $_->{id} eq $id } recs('live/x');
    push @fault, 'it takes long' if time() - $begun > 3;

    return join ', ', @fault;
}

# Recordings that are not: [ begin, ms, file ]; gives their directory.

sub plant {
    my ($name, @entries) = @_;

    my $sum = md5_hex("$rec->{vhost}/live/$name");
    my $at = "$dir/rec/.dvr/$sum";

    mkdir $at or die "$at: $!";
    chmod 0777, $at;
    spew("$at/names", "$rec->{vhost}\nlive\n"
        . $name =~ s/([\0- ])/sprintf '%%%02x', ord $1/ger . "\n");
    spew("$at/$_->[0]", $_->[1]) for entries($name, @entries);

    return $at;
}

# [ day, its lines ]

sub entries {
    my ($name, @entries) = @_;

    my $sum = md5_hex("$rec->{vhost}/live/$name");
    my %days;

    for my $e (@entries) {
        $days{strftime '%Y%m%d', gmtime $e->[0] / 1000} .= sprintf
            "%011x%s\t%d\t%d\t%d\t%d\tmp4\t%s\n", $e->[0], substr($sum, 0, 5),
            $e->[0], $e->[0] + $e->[1], $e->[1], length $file, $e->[2];
    }

    return map { [ $_, $days{$_} ] } keys %days;
}

# Positions of all boxes up to the first mdat, with those inside of them.

sub boxes {
    my ($data) = @_;

    my @found;
    my @open = [ 0, length $data ];

    while (my $span = shift @open) {
        my ($pos, $end) = @$span;

        while ($pos + 8 <= $end) {
            my ($size, $type) = unpack 'Na4', substr $data, $pos, 8;

            last if $size < 8 || $pos + $size > $end;

            push @found, $pos;
            push @open, [ $pos + 8, $pos + $size ] if $type =~
                /^(moov|trak|mdia|minf|dinf|stbl|mvex|moof|traf|edts|udta)$/;
            last if $type eq 'mdat';
            $pos += $size;
        }
    }

    return sort { $a <=> $b } @found;
}

sub recs {
    my ($name) = @_;

    my $r = $t->api_get('/api/v1/recordings/?count=100');

    return grep { !$name || "$_->{app}/$_->{stream}" eq $name }
        @{$r->{recordings} || []};
}

sub status {
    my ($r) = @_;

    return ($r // '') =~ m!^HTTP/1\.[01] (\d+)! ? $1 : 0;
}

sub slurp {
    my ($name) = @_;

    open my $fh, '<:raw', $name or die "$name: $!\n";
    local $/;

    return <$fh>;
}

sub spew {
    my ($name, $data) = @_;

    open my $fh, '>:raw', $name or die "$name: $!\n";
    print $fh $data;
    close $fh;
    chmod 0666, $name;
}
