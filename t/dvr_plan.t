#!/usr/bin/perl

# Copyright (C) the nginx media suite authors

# Recordings in segments: no frame is lost or there twice where one file ends
# and the next one begins, whether that is at a keyframe or not, with pictures
# and without.

use warnings;
use strict;

use Test::More;

BEGIN { use FindBin; chdir($FindBin::Bin); }

use lib 'lib';
use Test::Nginx;
use Test::Nginx::DVR;

use List::Util qw/ min max /;
use Time::HiRes qw/ sleep time /;

select STDERR; $| = 1;
select STDOUT; $| = 1;

my $SEGMENTS = 24;
my $SPEED = 3;

my $t = Test::Nginx->new()->has(qw/http stream rtmp/)
    ->has_daemon('ffmpeg', 'ffprobe');

my $dir = $t->testdir();

$t->write_file_expand('nginx.conf', <<"END_OF_CONF");
%%TEST_GLOBALS%%
daemon off;
worker_processes %%WORKERS%%;
events { }

media {
    zone 128m;
    time_jitter off;
    dvr on;
    dvr_gap 0;
    dvr_plan segment;
    dvr_duration 1s;
    dvr_path $dir/rec/[app]/[stream].[timestamp].flv;

    application flv { }
    application mp4 { dvr_path $dir/rec/[app]/[stream].[timestamp].mp4; }
    application ts { dvr_path $dir/rec/[app]/[stream].[timestamp].ts; }
    application any { dvr_wait_keyframe off; }
    application wait { dvr_wait_keyframe on; }
}

stream {
    server { listen 127.0.0.1:%%PORT_1935%%; rtmp { } }
}
END_OF_CONF

$t->run();

my $m = media($t, 'short', seconds => $SEGMENTS, gop => 10, size => '96x64');
my $long = media($t, 'long', seconds => 12, gop => 100, size => '96x64');
my $sound = media($t, 'sound', seconds => 12, video => 0);

my @apps = qw/ flv mp4 ts /;

my @p = (
    sender($t, $m, names => [ map { "$_/x" } @apps ], speed => $SPEED),
    sender($t, $long, names => [ 'any/l', 'wait/l' ], speed => $SPEED),
    sender($t, $sound, names => [ map { "$_/s" } @apps ], speed => $SPEED),
);

is($_->end(whole => 1)->{said}, '', 'published') for @p;

ok(wait_until(sub { !(() = glob("$dir/rec/.dvr/open/*")) }, 15), 'all is whole');

for my $app (@apps) {
    my @r = files($m, "$app/x");

    # pictures have keyframes at 0.4 s: at 1.2 s each is the first one behind

    cmp_ok(scalar(@r), '>=', $SEGMENTS / 1.2, "$app: files");
    is(join('; ', grep { $_ } map { $_->{fault} } @r), '',
        "$app: frames in order and in time");
    is(lacks($m, [ first($m), $#{$m->{frames}} ], @r), '',
        "$app: none is lost or twice there");
    is(join(' ', map { int $_->{duration} } grep { abs($_->{duration} - 1160)
        > 60 } @r[0 .. $#r - 1]), '', "$app: as long as they should be");

    @r = files($sound, "$app/s");

    cmp_ok(scalar(@r), '>=', 9, "$app: files of sound");
    is(join('; ', grep { $_ } map { $_->{fault} } @r), '',
        "$app: sound in order and in time");
    is(lacks($sound, [ 0, $#{$sound->{frames}} ], @r), '',
        "$app: no sound is lost or twice there");
}

# without keyframes

my @r = files($long, 'wait/l');

is(scalar(@r), 3, 'dvr_wait_keyframe on: a file at each keyframe');
is(join('; ', grep { $_ } map { $_->{fault} } @r), '', 'and they are right');
is(lacks($long, [ first($long), $#{$long->{frames}} ], @r), '',
    'dvr_wait_keyframe on: none is lost or twice there');

@r = files($long, 'any/l');

is(scalar(@r), 12, 'dvr_wait_keyframe off: a file each second');
is(lacks($long, [ first($long), $#{$long->{frames}} ], @r), '',
    'dvr_wait_keyframe off: none is lost or twice there');
is(join('; ', grep { $_ && !/^frame at \S+ ms is the first picture and no keyf/
    } map { $_->{fault} } @r), '', 'and they are right');

unlike($t->read_file('error.log'), qr/can not be|frames are lost/,
    'no errors');

###############################################################################

sub files {
    my ($m, $name) = @_;

    return map { recording($m, $_) } recordings("$dir/rec",
        qr!\Q/rec/$name.\E!);
}

sub first {
    my ($m) = @_;

    return (grep { $m->{frames}[$_]{type} == 9 } 0 .. $#{$m->{frames}})[0];
}

###############################################################################

done_testing();
