#!/usr/bin/perl

# Copyright (C) the nginx media suite authors

# A stream stays live over reloads that change its policy: players that were
# there keep what they came under, new ones follow what is configured now, and
# so does the next publish.

use warnings;
use strict;

use Test::More;

BEGIN { use FindBin; chdir($FindBin::Bin); }

use lib 'lib';
use Test::Nginx;
use Test::Nginx::Player;
use Test::RTMP;

use Time::HiRes qw/ time /;

select STDERR; $| = 1;
select STDOUT; $| = 1;

my $t = Test::Nginx->new()->has(qw/http stream rtmp flv_live/);

conf('gop_cache on; queue_length 60s;');
$t->run();

my $dts = 0;
my $pub = publisher();
my @old = all();

frames(key => 5);
ok(play_until(sub { !grep { kinds($_) ne 'kiiii' } @old }), 'players');

###############################################################################

# gop_cache

conf('gop_cache off; queue_length 60s;');
ok($t->reload(), 'gop_cache off');

my @off = all();

frames(inter => 2);
frames(key => 3);

ok(play_until(sub { !grep { length kinds($_) < 3 } @off }), 'new players');
is(kinds($_), 'kii', "$_->{what}: a new one begins with the next keyframe")
    for @off;

conf('gop_cache on; queue_length 60s;');
ok($t->reload(), 'gop_cache on');

my @on = all();

ok(play_until(sub { !grep { length kinds($_) < 3 } @on }), 'newer players');
is(kinds($_), 'kii', "$_->{what}: a new one begins with the newest keyframe")
    for @on;

frames(inter => 2);
ok(play_until(sub {
    !grep { kinds($_) ne 'kiiiiiikiiii' } @old;
}), 'the oldest ones go on') or diag(join ' ', map { kinds($_) } @old);

$_->drop() for @off, @on;

###############################################################################

# send_latency

conf('send_latency 400ms; queue_length 60s;');
ok($t->reload(), 'send_latency 400ms');

my @slow = all();
my %had = map { $_->{n} => $_->mark() } @slow;
my $next = time();
my $begun = $next;

play_until(sub {
    return 0 if time() < $next;
    $next += 0.02;
    frames(inter => 1);
    return $dts >= 2000 + 12 * 20;
});

ok(play_until(sub {
    !grep { $_->video() < $old[0]->video() - 8 } @slow;
}), 'all of it');

my $most = 3 + (time() - $begun) / 0.35;

cmp_ok(bursts($_), '<=', $most, "$_->{what}: a new one is sent more at once")
    for @slow;
cmp_ok($most, '<', 50, 'which is not what others get');

$_->drop() for @slow;

# frames that come now and then: each arrives, with nothing behind it that
# could wake anybody

conf('send_latency 30ms; queue_length 60s;');
ok($t->reload(), 'send_latency 30ms');

@slow = all();
frames(inter => 1);
play_until(sub { !grep { !$_->video() } @slow });

my $late = 0;

for my $n (1 .. 60) {
    select undef, undef, undef, rand(0.08);

    my %want = map { $_->{n} => $_->video() + 1 } @slow;

    frames(inter => 1);
    $late++ if !play_until(sub {
        !grep { $_->video() < $want{$_->{n}} } @slow;
    }, 3);
}

is($late, 0, 'frames that come now and then arrive');

$_->drop() for @slow;

###############################################################################

# queue_length: players that do not read while ten seconds and more go by

conf('queue_length 1s;');
ok($t->reload(), 'queue_length 1s');
frames(key => 1);

my @short = all(4096);

$_->pause() for @old, @short;

for my $n (1 .. 15) {
    $pub->video($dts += 100, Test::RTMP::avc_key($dts, 60000));
    $pub->video($dts += 100, Test::RTMP::avc_inter($dts, 60000)) for 2 .. 10;
}

$pub->call('releaseStream', undef, 'none');
select undef, undef, undef, 1;

my %want = map { $_->{n} => $_->video() + 150 } @old;

$_->resume() for @old, @short;

ok(play_until(sub {
    !grep { $_->video() < $want{$_->{n}} } @old;
}), 'the oldest ones get all of it');
ok(play_until(sub {
    !grep { !$_->{closed} && ($_->tags())[-1]{ms} != $dts } @short;
}), 'new ones get the last of it, or are closed');

cmp_ok($_->video(), '<', 150, "$_->{what}: a new one jumps") for @short;

###############################################################################

# the next publish

conf('gop_cache off; publish_conflict replace;');
ok($t->reload(), 'publish_conflict replace');

my $other = Test::RTMP->new(port(1935))->connect('live');
ok($other->publish('x'), 'a new publisher takes over at once');

players_drop();
$_->close() for $pub, $other;

done_testing();

###############################################################################

sub conf {
    my ($policy) = @_;

    $t->write_file_expand('nginx.conf', <<"EOF_CONF");

%%TEST_GLOBALS%%

daemon off;
worker_processes 2;

events {
}

media {
    $policy
    publish_timeout 20s 60s;
    republish_wait 1s;
    idle_timeout 1s;
}

stream {
    server {
        listen 127.0.0.1:%%PORT_1935%%;
        rtmp { }
    }
}

http {
    %%TEST_GLOBALS_HTTP%%

    server {
        listen 127.0.0.1:8080;

        location / {
            flv_live;
        }
    }
}

EOF_CONF
}

sub publisher {
    my $p = Test::RTMP->new(port(1935))->connect('live');

    $p->publish('x');
    $p->video(0, Test::RTMP::avc_config());

    return $p;
}

# So many pictures, the first one a keyframe or not; the server has them.

sub frames {
    my ($first, $n) = @_;

    for my $i (1 .. $n) {
        $pub->video($dts += 20, $i == 1 && $first eq 'key'
            ? Test::RTMP::avc_key($dts) : Test::RTMP::avc_inter($dts));
    }

    $pub->call('releaseStream', undef, 'none');
}

sub all {
    my ($rcvbuf) = @_;

    return Test::Nginx::Player->flv('/live/x.flv', what => 'flv',
            rcvbuf => $rcvbuf),
        Test::Nginx::Player->rtmp('live', 'x', what => 'rtmp',
            rcvbuf => $rcvbuf);
}

sub kinds {
    return join '', map { $_->{kind} =~ /^(k)ey|^(i)nter/ ? $1 // $2 : () }
        $_[0]->tags();
}

# In how many pieces it came.

sub bursts {
    my ($p) = @_;

    my ($n, $last) = (0, 0);

    for my $tag ($p->tags($had{$p->{n}})) {
        $n++ if $tag->{at} > $last + 0.005;
        $last = $tag->{at};
    }

    return $n;
}

###############################################################################
