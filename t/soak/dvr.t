#!/usr/bin/perl

# Copyright (C) the nginx media suite authors

# Recordings for long: streams in segments while workers are killed, encoders
# go and come back, the disk fails now and then and the configuration is read
# again and again.  Each file is whole, no frame is there twice, on_dvr comes
# once for each, memory, descriptors and the arena come back.

use warnings;
use strict;

use Test::More;

BEGIN { use FindBin; chdir($FindBin::Bin); }

use lib '.', '../lib';
use Test::Nginx;
use Test::Nginx::DVR;
use Test::Nginx::Hook;
use Test::Nginx::Player qw/ arena /;
use Test::Nginx::Torture qw/ workers_state workers_back /;

use Time::HiRes qw/ sleep time /;

select STDERR; $| = 1;
select STDOUT; $| = 1;

my $seconds = $ENV{TEST_SOAK} || 60;
my $t = Test::Nginx->new()->has(qw/ http stream rtmp flv_live threads /)
    ->has_daemon('ffmpeg', 'ffprobe');
my $dir = $t->testdir();
my $disk = slow_disk($t, "$dir/disk");

$t->log_level('notice') if !$ENV{TEST_NGINX_LOG_LEVEL};

# as a daemon: in the foreground nginx refuses USR2

$t->write_file_expand('nginx.conf', <<"EOC");
%%TEST_GLOBALS%%
daemon on;
worker_processes 4;

events { worker_connections 4096; }

media {
    zone            128m;
    republish_wait  500ms;
    idle_timeout    1s;
    publish_timeout 20s 20s;

    dvr          on;
    dvr_plan     segment;
    dvr_duration 5s;
    dvr_gap      2s;
    dvr_buffer   2m;
    dvr_path     $dir/disk/none/[stream].flv;

    on_dvr http://127.0.0.1:8085/dvr;

    application flv  { dvr_path $dir/disk/flv/[stream].[timestamp].flv; }
    application mp4  { dvr_path $dir/disk/mp4/[stream].[timestamp].mp4; }
    application ts   { dvr_path $dir/disk/ts/[stream].[timestamp].ts; }
    application prog { dvr_path $dir/disk/prog/[stream].[timestamp].mp4;
                       dvr_mp4 progressive; }
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

mkdir "$dir/disk";

$disk ? $disk->run() : $t->run();

my $hook = Test::Nginx::Hook->new($t, port(8085));
my $m = media($t, 'clip', seconds => $seconds + 20, gop => 25);
my $was = workers_state($t);
my @apps = qw/ flv mp4 ts prog /;

# those that nothing happens to but what happens to all, and those that go

my $steady = sender($t, $m, names => [ map { my $a = $_; map { "$a/s$_" }
    1 .. 10 } @apps ], again => 1, watch => 4);
my %pause = map { my $ms = $_ * 7000; my ($pos) = grep {
    $m->{frames}[$_]{ms} >= $ms } 0 .. $#{$m->{frames}};
    ($pos // 1e9 => $_ % 2 ? 1 : 3) } 1 .. $seconds / 7;
my $coming = sender($t, $m, names => [ map { my $a = $_; map { "$a/g$_" }
    1 .. 3 } @apps ], again => 1, pause => \%pause);

my $begin = time();
my ($round, $kills, $failures) = (0, 0, 0);

while (time() - $begin < $seconds) {
    my $what = $round++ % 4;

    if ($what == 0) {
        my @workers = $t->workers();

        $t->kill_worker($workers[$round % @workers]);
        $kills++;

    } elsif ($what == 1) {
        $t->reload();

    } elsif ($what == 2 && $disk) {
        $disk->is(('write 0 -', 'write 400 0', 'open 0 24', 'name 0 30',
            'sync 0 5', 'write 30000 0')[$failures++ % 6]);
        sleep 3;
        $disk->is();
    }

    sleep 4;
}

$_->end() for $coming;

my $sent = $steady->end();

is($sent->{gone} && !$kills ? $sent->{gone} : 0, 0, 'players stay');
note(sprintf '%d kills, %d failures of the disk, frames %.0f ms late', $kills,
    $failures, $sent->{late});

ok(wait_until(sub { !journals() }, 30), 'no journal is left');
sleep 2;

my @files = recordings("$dir/disk");
my (@faults, %of, %bytes);

for my $file (@files) {
    my $r = recording($m, $file, jumps => 1, rebased => 1);

    push @faults, "$file: $r->{fault}" if $r->{fault};

    my ($name) = $file =~ m!(\w+/\w+)\.\d+(?:-\d+)?\.\w+$! or next;

    push @{$of{$name}}, $r;
    $bytes{$file} = -s $file;
}

is(scalar(@faults), 0, @files . ' files, each in order and in time')
    or diag(join "\n", @faults[0 .. (@faults > 5 ? 4 : $#faults)]);

my @twice;

for my $name (sort keys %of) {
    my %has;

    $has{$_}++ for map { @{$_->{frames}} } @{$of{$name}};
    push @twice, $name if grep { $_ > 1 } values %has;

    my $spans = $sent->{$name} || [];
    my $lost = grep { !$has{$_} } 0 .. (@$spans ? $spans->[-1][1] : -1);

    note("$name: " . scalar(@{$of{$name}}) . " files, $lost of "
        . scalar(keys %has) . ' frames lack') if $name =~ /s1$/;
}

is("@twice", '', 'no frame is there twice');

my %told;

$told{$_->{json}{file}}++ for $hook->requests('/dvr');

is(join(' ', grep { !$told{$_} } @files), '', 'on_dvr for each file');
is(join(' ', grep { $told{$_} > 1 } sort keys %told), '', 'once');

sleep 3;

my %own = map { $_ => own($_) } $t->workers();

note('workers hold KB: ' . join ' ', values %own);
is(scalar(grep { $_ > 100_000 } values %own), 0, 'memory is given back');

# the binary is replaced in the middle of a file

$hook->forget();

my $p = sender($t, $m, names => [ map { "$_/u" } @apps ]);

$p->wait_sent(2000);

our $first = $t->master();
my $second;

END { kill 'TERM', $first if $first && kill 0, $first }

kill 'USR2', $first;

ok(wait_until(sub {
    ($second) = ($t->read_file('nginx.pid') || '') =~ /^(\d+)$/;
    return $second && $second != $first
        && @{[ $t->_children($second) ]} >= 4;
}, 20), 'the new binary runs');

kill 'QUIT', $first;
$t->{_master} = $second;
$p->wait_sent(7000);
$sent = $p->end();

ok(wait_until(sub { !kill 0, $first }, 10), 'the old one has ended');
ok(wait_until(sub { !journals() }, 30), 'no journal is left');

for my $app (@apps) {
    my @r = map { recording($m, $_) } recordings("$dir/disk/$app", qr!/u\.!);

    is(join('; ', grep { $_ } map { $_->{fault} } @r)
        || lacks($m, $sent->{"$app/u"}[0], @r), '',
        "$app: every frame, whole files");
}

undef $first;

$t->stop();

done_testing();

###############################################################################

sub own {
    open my $fh, '<', "/proc/$_[0]/status" or return 0;
    local $/;
    return <$fh> =~ /RssAnon:\s+(\d+)/ ? $1 : 0;
}

sub journals {
    return glob "$dir/disk/*/.dvr/open/*";
}

###############################################################################
