#!/usr/bin/perl

# Copyright (C) the nginx media suite authors

# Recordings over the lives of publishers, workers and nginx: who comes back
# within dvr_gap goes on with the same file, in whichever worker; whoever does
# not, or dies, leaves one that is finished by others, and told of once.

use warnings;
use strict;

use Test::More;

BEGIN { use FindBin; chdir($FindBin::Bin); }

use lib 'lib';
use Test::Nginx;
use Test::Nginx::DVR;
use Test::Nginx::Hook;

use Time::HiRes qw/ sleep time /;

select STDERR; $| = 1;
select STDOUT; $| = 1;

my $t = Test::Nginx->new()->has(qw/http stream rtmp/)
    ->has_daemon('ffmpeg', 'ffprobe');

my $dir = $t->testdir();

$t->write_file_expand('nginx.conf', <<"END_OF_CONF");
%%TEST_GLOBALS%%
daemon off;
worker_processes 4;
events { }

media {
    zone 128m;
    republish_wait 2s;
    dvr on;
    dvr_gap 3s;
    dvr_path $dir/rec/[app]/[stream].flv;
    on_dvr http://127.0.0.1:8085/dvr;

    application flv { }
    application mp4 { dvr_path $dir/rec/[app]/[stream].mp4; }
    application ts { dvr_path $dir/rec/[app]/[stream].ts; }
    application short { dvr_gap 1s; }
    application freed { dvr_gap 9s; republish_wait 0; idle_timeout 500ms; }
}

stream {
    server { listen 127.0.0.1:%%PORT_1935%%; rtmp { } }
}

http {
    %%TEST_GLOBALS_HTTP%%

    server {
        listen 127.0.0.1:8080;
        location /api/ { media_api; }
    }
}
END_OF_CONF

my $hook = Test::Nginx::Hook->new($t, port(8085));

$t->run();

my $m = media($t, 'clip', seconds => 7, gop => 10);
my $n = $#{$m->{frames}};
my ($first) = grep { $m->{frames}[$_]{type} == 9 } 0 .. $n;
my $other = media($t, 'other', seconds => 1, gop => 10, size => '96x64');
my @formats = qw/ flv mp4 ts /;

# publishers who come back to whichever worker, one of them too late

my $long = sender($t, $m, names => [ map { "$_/long" } @formats ]);
my @names = map { my $app = $_; map { "$app/$_" } 1 .. 4 } @formats;
my ($k1, $k2, $k3) = map { at($_) } 1, 2, 3;

my $p = sender($t, $m, names => [ @names, 'short/x', 'freed/x', 'mp4/other' ],
    to => $k1 - 1);
is($p->end(whole => 1)->{said}, '', 'published');

my $q = sender($t, $other, names => [ 'mp4/other' ]);

$p = sender($t, $m, names => \@names, from => $k1, to => $k2 - 1);
is($p->end(whole => 1)->{said}, '', 'they come back');
$q->end(whole => 1);

# a publish goes on over a reload, in the old worker

my @old = $t->workers();

ok($t->reload(), 'reload');

$p = sender($t, $m, names => \@names, from => $k2, to => $k3 - 1);
is($p->end(whole => 1)->{said}, '', 'they come back to new workers');

ok(wait_until(sub { grep { $_->{json}{app} eq 'short' }
    $hook->requests('/dvr') }, 8), 'too late for one');

$p = sender($t, $m, names => [ 'short/x', 'freed/x' ], from => $k1,
    to => $k2 - 1);
$p->end(whole => 1);

is($long->end(whole => 1)->{said}, '', 'those who stayed');

# workers die: who comes back goes on with what they wrote

$p = sender($t, $m, names => [ map { "$_/dies" } @formats ], again => 1,
    to => at(4.4));
$p->wait_sent(1600);

ok(wait_until(sub { my %old = map { $_ => 1 } @old;
    !grep { $old{$_} } $t->all_workers() }, 5), 'old workers go');

$t->kill_worker($_) for $t->workers();

$p->end(whole => 1);

ok(wait_until(sub { $hook->requests('/dvr') >= 4 + @names + 3 }, 12),
    'files are whole') or diag(scalar $hook->requests('/dvr'));

# nginx dies: another one finishes what it wrote

$p = sender($t, $m, names => [ map { "$_/dead" } @formats ]);
$p->wait_sent(1800);

my @pids = ($t->master(), $t->workers());

$t->{_killed}{$_} = 1 for @pids;
kill 'KILL', @pids;
$p->end();

is(plays((files("$_/dead"))[0]), '', "$_: plays as it was left") for @formats;

ok(wait_until(sub { !grep { kill 0, $_ } @pids[1 .. 4] }, 5), 'it is dead');

delete $t->{_master};
unlink "$dir/nginx.pid";

# one was stolen from a worker that was stuck: it has a name of its own

my ($stolen) = glob("$dir/rec/.dvr/open/" . '[0-9a-f]' x 32);

ok(rename($stolen, "$dir/rec/.dvr/open/0000abcd0000abcd"), 'stolen');

$t->run();

ok(wait_until(sub { $hook->requests('/dvr') >= 5 + @names + 9 }, 15),
    'all are whole') or diag(scalar $hook->requests('/dvr'));
sleep 0.5;

my %told;

$told{$_->{json}{file}}++ for $hook->requests('/dvr');

is(join(' ', grep { $told{$_} > 1 } keys %told), '', 'each is told of once');
is(scalar(keys %told), 5 + @names + 9, 'and no other');

my @open;

wait_until(sub { @open = glob("$dir/rec/.dvr/open/*"); !@open }, 8);
is("@open", '', 'no journals are left');

# what is in them

for my $name (@names) {
    my @files = files($name);

    is(scalar(@files), 1, "$name: one file");

    # time goes on while they are away

    my $r = recording($m, $files[0], tolerance => 30000);

    is($r->{fault}, '', "$name: frames in order");
    is(lacks($m, [ $first, $k3 - 1 ], $r), '', "$name: all of them");
    cmp_ok($r->{duration}, '>', 2950, "$name: duration");

    # pictures that come back are not 1/25 s apart from what was there

    is(plays($files[0]) =~ s/^.*non monotonically.*\n//mgr, '',
        "$name: plays") if $name =~ /1/;
}

for my $name (map { "$_/long" } @formats) {
    my @files = files($name);
    my $r = recording($m, $files[0]);

    is(scalar(@files), 1, "$name: one file over the reload");
    is($r->{fault}, '', "$name: frames in order and in time");
    is(lacks($m, [ $first, $n ], $r), '', "$name: all of them");
}

my @files = files('short/x');

is(scalar(@files), 2, 'short/x: two files');
is(lacks($m, [ $first, $k2 - 1 ], map { recording($m, $_) } @files), '',
    'short/x: all frames are in them');

# what knew its time is gone; another picture is another file in MP4

@files = files('freed/x');

my $r = recording($m, $files[0], tolerance => 30000);

is(scalar(@files), 1, 'freed/x: one file');
is($r->{fault}, '', 'freed/x: frames in order');
is(lacks($m, [ $first, $k2 - 1 ], $r), '', 'freed/x: all of them');
cmp_ok($r->{duration}, '>', 4000, 'freed/x: time went on');

@files = files('mp4/other');

is(scalar(@files), 2, 'mp4/other: two files');
is(recording($m, $files[1])->{fault}, '', 'mp4/other: the first one');
is(recording($other, $files[0])->{fault}, '', 'mp4/other: the second one');

for my $name (map { my $app = $_; map { "$app/$_" } qw/ dies dead / }
    @formats)
{
    my @files = files($name);
    my $r = recording($m, $files[0], rebased => 1, jumps => 1);

    is(scalar(@files), 1, "$name: one file");
    is($r->{fault}, '', "$name: frames in order and in time");
    is(plays($files[0]) =~ s/^.*non monotonically.*\n//mgr, '',
        "$name: plays");
    cmp_ok($r->{duration}, '>', $name =~ /dies/ ? 3000 : 900,
        "$name: what was sent");
}

###############################################################################

# the first keyframe from there on, with its sound behind it

sub at {
    my ($seconds) = @_;

    return (grep { my $f = $m->{frames}[$_]; $f->{type} == 9 && $f->{key}
        && $f->{ms} >= $seconds * 1000 - 1 } 0 .. $n)[0];
}

sub files {
    my ($name) = @_;

    return recordings("$dir/rec", qr!\Q/rec/$name\E(-\d+)?\.\w+$!);
}

###############################################################################

done_testing();
