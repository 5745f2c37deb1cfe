#!/usr/bin/perl

# Copyright (C) the nginx media suite authors

# Recordings where the disk fails and where processes die: a disk that is
# slow, that stands still, is full, refuses, loses its directory; workers that
# are killed, nginx that stops, ends, reads its configuration again and is
# replaced, in the middle of a stream.  What was written plays, recording goes
# on by itself, nobody who watches notices.

use warnings;
use strict;

use Test::More;

BEGIN { use FindBin; chdir($FindBin::Bin); }

use lib 'lib';
use Test::Nginx;
use Test::Nginx::DVR;
use Test::Nginx::Hook;
use Test::Nginx::Torture qw/ workers_state workers_back /;

use File::Copy qw/ copy /;
use File::Path qw/ rmtree /;
use List::Util qw/ max sum /;
use Time::HiRes qw/ sleep time /;

select STDERR; $| = 1;
select STDOUT; $| = 1;

my $t = Test::Nginx->new()->has(qw/ http stream rtmp flv_live threads /)
    ->has_daemon('ffmpeg', 'ffprobe');

my $dir = $t->testdir();
my $disk = slow_disk($t, "$dir/disk");

# directories of their own, so that each has a disk of its own

my @apps = qw/ well slow stall full eio sync gone ro /;
my %ending = (slow => 'mp4', full => 'mp4', eio => 'ts', gone => 'ts',
    sync => 'mp4');

my $apps = join "\n", map { "application $_ { dvr_path $dir/disk/$_/[stream]."
    . '[timestamp].' . ($ending{$_} || 'flv') . '; '
    . ($_ eq 'slow' ? 'dvr_buffer 16m; ' : '') . '}' } @apps;

# a disk of 2 MB, which only root can have

my $mounted;

if ($> == 0) {
    mkdir "$dir/tmpfs";
    $mounted = system('mount -t tmpfs -o size=2m,mode=0777 none '
        . "$dir/tmpfs 2>/dev/null") == 0;
    push @apps, 'small' if $mounted;
}

END { system("umount -l $dir/tmpfs") if $mounted }

$t->write_file_expand('nginx.conf', conf('off'));

mkdir "$dir/disk";
mkdir "$dir/disk/ro";
chown((getpwnam 'www-data')[2, 3], "$dir/disk", "$dir/disk/ro") if $> == 0;

$disk ? $disk->run() : $t->run();

chmod 0555, "$dir/disk/ro";

my $hook = Test::Nginx::Hook->new($t, port(8085));
my $m = media($t, 'clip', seconds => 13, gop => 20, rate => '3000k',
    size => '320x192');
my $all = $#{$m->{frames}};
my $was = workers_state($t);

###############################################################################

# the disk

my $p = sender($t, $m, names => [ (map { "$_/x" } @apps), 'off/x' ],
    watch => 1 + @apps, control => 'off/x');

$p->wait_sent(3000);

my @slow = ('write 300 0 /slow/', 'write 60000 0 /stall/',
    'write 0 - /full/', 'write 0 5 /eio/', 'sync 0 5 /sync/');

$disk->is(@slow) if $disk;
empty('gone');

# 2 MB are full by themselves, until there is room again

$p->wait_sent(8000);

my $own = max(map { own($_) } $t->workers());

chmod 0755, "$dir/disk/ro";
$disk->is('sync 0 5 /sync/') if $disk;

if ($mounted) {
    unlink recordings("$dir/tmpfs");
}

my %late = map { ("$_/x" => record("$_/x")) } @apps
    if $p->wait_sent(12500);

my $sent = $p->end(whole => 1);

is($sent->{said}, '', 'all are published to the end');
is($sent->{gone}, 0, 'players stay');
cmp_ok($sent->{late}, '<', 100 + ($sent->{control} || 0),
    'no frame is late for them, ms');
note("at most $sent->{late} ms, of a stream beside $sent->{control} ms");

if ($disk) {
    my %calls;

    $calls{$_}++ for map { s/\d+/N/gr } $disk->blocking($t->all_workers());
    is(join(', ', map { "$_: $calls{$_}" } sort keys %calls), '',
        'no worker waits for the disk');
}

ok(wait_until(sub {
    my %dvr = map { $_->{json}{app} => 1 } $hook->requests('/dvr');
    return !grep { !$dvr{$_} && $_ ne 'sync' } @apps;
}, 15), 'on_dvr of all');

# what can not be made durable is tried again: see the end

$disk->is() if $disk;

sleep 0.5;

my $log = $t->read_file('error.log');

whole('well');

SKIP: {
    skip('no disk that fails', 1) unless $disk;

    whole('slow');

    # what stood still has lost what did not fit, from keyframe to keyframe

    my ($r) = files('stall', 1, jumps => 1);

    cmp_ok(scalar(@{$r->{jumps}}), '>', 0, 'stall: frames are lost');
    is($r->{last}{9}, lastof(9), 'stall: it goes on to the end');
    cmp_ok($late{'stall/x'}{lost} // 1, '>', 0, 'stall: the API counts them');
    is(lines('stall', qr/not recorded,|are lost$/), 2, 'stall: two lines in the log');
    cmp_ok($own - max(values %{$was->{own}}), '<', 40000,
        'stall: memory is bounded, KB');

    for my $app (qw/ full eio /) {
        my ($first, @more) = files($app, 0);

        cmp_ok(scalar(@more), '>=', 1, "$app: a new file");
        is($more[-1]{last}{9}, lastof(9), "$app: it goes on to the end");

        my $begin = $m->{frames}[$more[-1]{first}{9} // 0]{ms};

        cmp_ok($begin, '<', 12500, "$app: soon, ms");
        is(lines($app, qr/not recorded,|are lost$/), 2, "$app: two lines in the log");
        is(lacks($m, [ 0, 40 ], $first), '', "$app: what was written is there");
        cmp_ok(lines($app, qr/can not be finished/), '<=', 4,
            "$app: what is tried again is said once by each worker");
    }
}

# what is taken away is begun anew

my ($r) = files('gone', 1);

is($r->{last}{9}, lastof(9), 'gone: a new file to the end');
cmp_ok($m->{frames}[$r->{first}{9} // $all]{ms}, '<', 6000, 'gone: soon');

($r) = files('ro', 1);

is($r->{last}{9}, lastof(9), 'ro: recorded when it may be');
is(lines('ro', qr/not recorded,|are lost$/), 2, 'ro: two lines in the log');

if ($mounted) {
    my ($r) = files('small', 1);

    is($r->{last}{9}, lastof(9), 'small: recorded when there is room');
    is(lines('small', qr/not recorded,|are lost$/), 2, 'small: two lines in the log');
}

ok(wait_until(sub { !grep { !m!/sync/! } journals() }, 10),
    'no journal is left');

# what asks the hooks has opened some for itself

$_ += 6 for values %{$was->{fds}};

is(workers_back($t, $was), '', 'everything is given back');
is(join(' ', map { grep { m!^\Q$dir\E/(disk|tmpfs)! } map { readlink // '' }
    glob "/proc/$_/fd/*" } $t->workers()), '', 'no file is open');

###############################################################################

# a worker is killed

$hook->forget();
empty(qw/ well slow gone /);

$p = sender($t, $m, names => [ 'well/k', 'slow/k', 'gone/k' ], to => $all,
    again => 1);
$p->wait_sent(3000);

for my $app (qw/ well slow gone /) {
    my $pid = wait_until(sub { publisher("/$app/k") }, 5) || 0;

    next unless ok($pid, "$app: published");

    $t->{_killed}{$pid} = 1;
    kill 'KILL', $pid;

    my ($last) = recordings("$dir/disk/$app");
    my $file = "$dir/killed." . ($ending{$app} || 'flv');

    copy($last // 'none', $file);

    my $r = recording($m, $file);

    is($r->{fault}, '', "$app: what was written is whole at once");
    cmp_ok($m->{frames}[$r->{last}{9} // 0]{ms}, '>', 1200, "$app: and enough");
    is(plays($file), '', "$app: it plays");
}

$p->wait_sent(6000);
$sent = $p->end();
$hook->wait_for('/dvr', 3);

ok(wait_until(sub { !grep { !m!/sync/! } journals() }, 12),
    'no journal is left');

sleep 0.5;

for my $app (qw/ well slow gone /) {
    my @files = recordings("$dir/disk/$app");
    my @r = map { recording($m, $_, jumps => 1, rebased => 1) } @files;
    my @dvr = grep { $_->{json}{app} eq $app } $hook->requests('/dvr');

    is(join('; ', grep { $_ } map { $_->{fault} } @r), '',
        "$app: each file is whole");
    is(join(' ', sort map { $_->{json}{file} } @dvr), join(' ', @files),
        "$app: on_dvr once for each");
    is(lacks($m, $sent->{"$app/k"}[-1] || [ 0, 1 ], @r), '',
        "$app: nothing lacks of what came then");
}

###############################################################################

# nginx is reloaded, ends, stops in the middle

for my $how (qw/ reload quit stop /) {
    $hook->forget();
    empty(qw/ well slow gone /);

    $p = sender($t, $m, names => [ 'well/r', 'slow/r', 'gone/r' ]);
    $p->wait_sent(1500);

    if ($how eq 'reload') {
        $t->reload();
        $p->wait_sent(4000);
        $sent = $p->end();

    } elsif ($how eq 'quit') {
        my $master = $t->master();

        kill 'QUIT', $master;
        $p->wait_sent(3000);
        $sent = $p->end();
        ok(wait_until(sub { !kill(0, $master) || $t->_gone($master) }, 10),
            'quit: it ends');
        delete $t->{_master};

    } else {
        my $master = $t->master();

        $t->{_cut} = -s "$dir/error.log";
        kill 'TERM', $master;
        ok(wait_until(sub { !kill(0, $master) || $t->_gone($master) }, 10),
            'stop: it ends');
        delete $t->{_master};
        $sent = $p->end();
    }

    for my $app (qw/ well slow gone /) {
        my @r = grep { @{$_->{frames}} } map { recording($m, $_) }
            recordings("$dir/disk/$app");
        my $to = $sent->{"$app/r"}[0][1] // 0;

        # what is on its way to a server that stops is not recorded

        $to-- while $how eq 'stop' && $to > 0
            && $m->{frames}[$to]{ms} > $m->{frames}[$sent->{"$app/r"}[0][1]]{ms}
                - 400;

        ok(wait_until(sub {
            @r = map { recording($m, $_) } recordings("$dir/disk/$app");
            return @r == 1 && !$r[0]{fault} && !lacks($m, [ 0, $to ], @r);
        }, 5), "$how: $app: one file of all frames")
            or diag(join '; ', scalar @r, map { $_->{fault},
                lacks($m, [ 0, $to ], $_) } @r);
    }

    next if $how eq 'reload';

    # who starts next finds what was left

    unlink "$dir/nginx.pid";
    $disk ? $disk->run() : $t->run();
    ok(wait_until(sub { !journals() }, 12), "$how: no journal is left");
    $hook->wait_for('/dvr', 3);

    my @dvr = map { $_->{json}{app} } $hook->requests('/dvr');

    is(join(' ', sort @dvr), 'gone slow well', "$how: on_dvr once of each");
}

whole('sync');

$t->stop();

system("umount -l $dir/tmpfs") if $mounted;
$mounted = 0;

done_testing();

###############################################################################

sub conf {
    my ($daemon) = @_;

    my $small = $mounted ? 'application small { dvr_path '
        . "$dir/tmpfs/rec/[stream].[timestamp].flv; }" : '';

    return <<"EOC";
%%TEST_GLOBALS%%
daemon $daemon;
worker_processes 4;

events { }

media {
    zone            64m;
    republish_wait  500ms;
    idle_timeout    1s;
    publish_timeout 20s 20s;

    dvr        on;
    dvr_buffer 1m;
    dvr_gap    1s;

    on_dvr http://127.0.0.1:8085/dvr;

    dvr_path $dir/disk/none/[stream].flv;
    $apps
    $small
    application off { dvr off; }
}

stream {
    server { listen 127.0.0.1:%%PORT_1935%%; rtmp { } }
}

http {
    %%TEST_GLOBALS_HTTP%%

    server {
        listen 127.0.0.1:8080;

        location / { flv_live; }
        location /api/ { media_api write; }
    }
}
EOC
}

# The recordings of an application, each of them without a fault.

sub files {
    my ($app, $count, %o) = @_;

    my @files = recordings($app eq 'small' ? "$dir/tmpfs/rec"
        : "$dir/disk/$app");
    my @r = map { recording($m, $_, %o) } @files;

    is(scalar(@r), $count, "$app: files") if $count;
    is(join('; ', grep { $_ } map { $_->{fault} } @r), '',
        "$app: in order and in time");

    push @r, { frames => [], first => {}, last => {}, jumps => [] }
        while @r < 2 && !($count && @r == $count);

    return @r;
}

# One file with every frame.

sub whole {
    my ($app) = @_;

    my ($r) = files($app, 1);

    is(lacks($m, [ 0, $all ], $r), '', "$app: all frames");
    is(lines($app, qr/not recorded,|are lost$/), 0, "$app: no such line");
}

# The last position of a track.

sub lastof {
    my ($type) = @_;

    my $pos = $all;

    $pos-- while $m->{frames}[$pos]{type} != $type;

    return $pos;
}

# Lines of the log that are like this and name a file of the application.

sub lines {
    my ($app, $like) = @_;

    my @lines = grep { $_ =~ $like
        && (m!(?:disk/|")${app}["/]! || $app eq 'small' && m!/tmpfs/!) }
        split /\n/, $log;

    note($_) for @lines;

    return scalar @lines;
}

# What the API says of the recording of a stream.

sub record {
    my ($name) = @_;

    my ($app, $stream) = split '/', $name;
    my ($s) = grep { $_->{app} eq $app && $_->{name} eq $stream }
        @{($t->api_get('/api/v1/streams/?count=1000') || {})->{streams} || []};

    return {} unless $s;

    return (($t->api_get("/api/v1/streams/$s->{id}") || {})->{stream}
        || {})->{record} || {};
}

# What is below the directories of these goes; others may be at it too.

sub empty {
    for my $app (@_) {
        rmtree("$dir/disk/$app", { keep_root => 1, error => \my $errors });
    }
}

# The worker of a publisher.

sub publisher {
    my ($url) = @_;

    my ($c) = grep { $_->{publish} && $_->{url} eq $url }
        @{($t->api_get('/api/v1/clients/?count=100') || {})->{clients} || []};

    return $c && $c->{worker};
}

# private memory, KB

sub own {
    open my $fh, '<', "/proc/$_[0]/status" or return 0;
    local $/;
    return <$fh> =~ /RssAnon:\s+(\d+)/ ? $1 : 0;
}

# Journals of files that are being written.

sub journals {
    return glob "$dir/disk/*/.dvr/open/*";
}

###############################################################################
