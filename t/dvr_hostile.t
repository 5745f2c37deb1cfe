#!/usr/bin/perl

# Copyright (C) the nginx media suite authors

# Where somebody else writes in the directory of recordings: pipes where files
# are looked for, locks that are held, journals, switches and queues of
# garbage.  Others are recorded, threads come back, workers end.  And the API
# for pages of others, and for recordings that are in use.

use warnings;
use strict;

use Test::More;

BEGIN { use FindBin; chdir($FindBin::Bin); }

use lib 'lib';
use Test::Nginx;
use Test::Nginx::DVR;

use Digest::MD5 qw/ md5_hex /;
use Fcntl qw/ :flock /;
use IO::Handle;
use File::Path qw/ make_path /;
use POSIX qw/ mkfifo strftime /;
use Time::HiRes qw/ sleep time /;

select STDERR; $| = 1;
select STDOUT; $| = 1;

my $t = Test::Nginx->new()->has(qw/http stream rtmp flv_live hls/)
    ->has_daemon('ffmpeg');

my $dir = $t->testdir();
my $vhost = '__defaultVhost__';

$t->write_file_expand('nginx.conf', <<"END_OF_CONF");
%%TEST_GLOBALS%%
daemon off;
worker_processes 2;
events { }

media {
    republish_wait 1s;
    dvr on;
    dvr_gap 0;
    dvr_keep 1d;
    dvr_copy $dir/copies;
    dvr_path $dir/rec/[app]/[stream].[timestamp].mp4;
    application off { dvr off; }
}

stream {
    server { listen 127.0.0.1:%%PORT_1935%%; rtmp { } }
}

http {
    %%TEST_GLOBALS_HTTP%%

    server {
        listen 127.0.0.1:8080 sndbuf=16k;
        output_buffers 1 8k;
        location / { media_recordings; hls_vod; sendfile off; }
        location /api/ { media_api write; }
    }
}
END_OF_CONF

# what was planted

my %sum = map { $_ => md5_hex("$vhost/live/$_") } qw/ held day names /;
my %days = map { strftime('%Y%m%d', gmtime time() + $_) => 1 } 0, 3600;

dirs(map { "rec/.dvr/$_" } qw/ open queue uploaded /, values %sum);

mkfifo("$dir/rec/.dvr/$_", 0666) or die "$_: $!" for 'open/.sweep',
    'open/' . '0' x 32, 'open/' . '1' x 16, 'queue/' . '2' x 16,
    map { "$sum{day}/$_" } keys %days;
mkdir "$dir/rec/.dvr/open/" . '3' x 16;
symlink '/etc/passwd', "$dir/rec/.dvr/open/" . '4' x 16;
spew("rec/.dvr/open/" . '5' x 16, garbage(20000));
spew("rec/.dvr/open/" . '6' x 32, garbage(20000));
spew("rec/.dvr/queue/" . '7' x 16, garbage(20000));
spew("rec/.dvr/queue/" . '8' x 16, "added 1\ntodo 3\nfile ../nginx.conf\n");
spew("rec/.dvr/queue/" . '9' x 16, '');
truncate "$dir/rec/.dvr/queue/" . '9' x 16, 2 ** 42;
spew("rec/.dvr/switches", '{"switches":' . '[' x 100000);
spew("rec/.dvr/$sum{names}/names", garbage(2000));

my $lock = spew("rec/.dvr/$sum{held}/lock", '');

flock $lock, LOCK_EX or die $!;

$t->run();

like($t->read_file('error.log'), qr/switches" is damaged/, 'switches: a line');

my $m = media($t, 'clip', seconds => 3, gop => 25);

sender($t, $m, names => [ map { "live/$_" } qw/ ok held day names / ],
    speed => 2)->end(whole => 1);

for my $name (qw/ ok names /) {
    ok(wait_until(sub { whole($name) }, 10), "$name: recorded");
}

ok(!whole('held'), 'held: not entered while its lock is held');

flock $lock, LOCK_UN;

ok(wait_until(sub { whole('held') }, 20), 'held: entered afterwards');

unlink "$dir/rec/.dvr/$sum{day}/$_" for keys %days;

ok(wait_until(sub { whole('day') }, 20), 'a pipe in its way: entered later');

for my $what ('queue/' . '2' x 16, 'queue/' . '8' x 16) {
    ok(!-f "$dir/copies/nginx.conf", "$what: nothing is copied");
}

# what is in use is deleted

my ($rec) = whole('ok');
my $uri = "/live/ok.rec.$rec->{id}.mp4";
my @slow = map { http_start("GET $_ HTTP/1.0\r\n\r\n", start => 1) } $uri,
    '/live/ok.mp4?start=0';

sysread $_, my $head, 100 for @slow;

is((api('DELETE', "recordings/$rec->{id}"))[0], 0, 'deleted while it is sent');
ok(!-e "$dir/rec/$rec->{file}", 'its file is gone');
is(status(http_get($uri)), 404, 'no one else gets it');

for my $s (@slow) {
    my $got = 100;

    while (my $n = sysread $s, my $buf, 65536) {
        $got += $n;
    }

    cmp_ok($got, '>', 100, 'who had it goes on');
}

is((api('DELETE', "recordings/$rec->{id}"))[0], 2050, 'deleted once');

my $p = sender($t, $m, names => [ 'live/now' ]);

ok(wait_until(sub { grep { $_->{stream} eq 'now' } recs() }, 10), 'recorded');

my ($now) = grep { $_->{stream} eq 'now' } recs();

isnt((api('DELETE', "recordings/$now->{id}"))[0], 0,
    'what is being written is not deleted');

# its journal has one name more than who finishes it knows

my $other = "$dir/rec/.dvr/open/" . 'a' x 16;

link "$dir/rec/.dvr/open/" . md5_hex("$vhost/live/now"), $other or die $!;

$p->end(whole => 1);
ok(wait_until(sub { whole('now') }, 10), 'it becomes whole');
ok(wait_until(sub { !-e $other }, 10), 'no journal is left of it');

# pages of others change nothing

my $switch = '/api/v1/recordings/?action=record&switch=on&app=off&stream=s';

for my $header ('Origin: http://evil.example', 'Origin: null',
    'Sec-Fetch-Site: cross-site')
{
    my $r = http("POST $switch HTTP/1.1\r\nHost: localhost\r\n$header\r\n"
        . "Content-Length: 0\r\nConnection: close\r\n\r\n");

    is(status($r), 403, "$header: refused");
    like($r, qr/1061/, "$header: why");
}

for my $how ('callback=f', 'callback=f&method=POST', 'method=POST',
    'callback=f&method=DELETE')
{
    unlike(http_get("$switch&$how"), qr/"code":0[,}]/, "$how: refused")
        if $how =~ /callback=f&/;
    http_get("$switch&$how");
}

sender($t, $m, names => [ 'off/s' ], speed => 4)->end(whole => 1);
is(scalar(grep { $_->{app} eq 'off' } recs()), 0, 'and nothing was switched');

# a lock that is held does not keep workers from their end

flock $lock, LOCK_EX or die $!;

my ($held) = whole('held');
my $s = http_start("DELETE /api/v1/recordings/$held->{id} HTTP/1.0\r\n\r\n",
    start => 1);

sleep 0.2;

my $begun = time();

$t->stop();

cmp_ok(time() - $begun, '<', 10, 'workers end');

done_testing();

###############################################################################

sub recs { return @{$t->api_get('/api/v1/recordings/?count=100')->{recordings}} }

sub whole {
    my ($name) = @_;

    return grep { $_->{stream} eq $name && $_->{state} eq 'complete' } recs();
}

sub api {
    my ($method, $path) = @_;

    my $json = $t->api_request($method, "/api/v1/$path");

    return ref $json ? ($json->{code}, $json) : (-1);
}

sub status {
    my ($r) = @_;

    return ($r // '') =~ m!^HTTP/1\.[01] (\d+)! ? $1 : 0;
}

sub garbage {
    my ($n) = @_;

    srand 7;

    return join '', map { chr rand 256 } 1 .. $n;
}

sub dirs {
    make_path(map { "$dir/$_" } @_);

    system 'chmod', '-R', 'a+rwX', "$dir/rec";
}

sub spew {
    my ($name, $data) = @_;

    open my $fh, '>:raw', "$dir/$name" or die "$name: $!\n";
    $fh->autoflush(1);
    print $fh $data;
    chmod 0666, "$dir/$name";

    return $fh;
}
