#!/usr/bin/perl

# Copyright (C) the nginx media suite authors

# RTMP, command by command: what a small client says and what it is told.

###############################################################################

use warnings;
use strict;

use Test::More;

BEGIN { use FindBin; chdir($FindBin::Bin); }

use lib 'lib';
use Test::Nginx;
use Test::RTMP qw/ num bool amf0 /;

###############################################################################

select STDERR; $| = 1;
select STDOUT; $| = 1;

my $t = Test::Nginx->new()->has(qw/ stream rtmp /);

$t->write_file_expand('nginx.conf', <<'EOF_CONF');

%%TEST_GLOBALS%%

daemon off;
worker_processes 1;

events {
}

media {
    idle_timeout 2s;
    republish_wait 1s;
    publish_timeout 20s 60s;
}

stream {
    %%TEST_GLOBALS_STREAM%%

    log_format media '$media_protocol $media_app/$media_stream'
                     ' [$media_args] [$media_arg_token] $status';

    server {
        listen      127.0.0.1:%%PORT_1935%%;
        access_log  %%TESTDIR%%/media.log media;

        rtmp {
            chunk_size 4096;
            ping       2s;
            timeout    10s;
        }
    }
}

EOF_CONF

$t->run();

my $port = port(1935);

###############################################################################

# connect

my $c = client();
my $r = $c->{connected};

is($r->[0], '_result', 'connect');
is($r->[3]{code}, 'NetConnection.Connect.Success', 'connect code');
is($r->[3]{objectEncoding}, 0, 'connect encoding');
ok(length $r->[3]{data}{server}, 'connect server info');
ok(!exists $r->[2]{capsEx}, 'connect, nothing enhanced');
is(join(' ', map { $_->{type} } @{$c->{seen}}), '5 6 4 1',
    'connect, window, bandwidth, stream begin, chunk size');
is($c->{in_chunk}, 4096, 'connect, chunk size');
ok($c->expect(sub { ($_[0]{values} || [''])->[0] eq 'onBWDone' }), 'onBWDone');

is(($c->call('connect', { app => 'live' }))->[0], '_error', 'connect twice');

$r = Test::RTMP->new($port)->connect('live', fourCcList => ['hvc1', 'av01'],
    capsEx => num(1))->{connected};

ok(grep({ $_ eq 'hvc1' } @{$r->[2]{fourCcList}}), 'connect, fourCcList');
is($r->[2]{videoFourCcInfoMap}{hvc1}, 4, 'connect, video map');
is($r->[2]{audioFourCcInfoMap}{Opus}, 4, 'connect, audio map');
is($r->[2]{capsEx} & 1, 1, 'connect, capsEx');

my $bad = Test::RTMP->new($port)->connect('a/../b');
is($bad->{connected}[0], '_error', 'connect, invalid app');
is($bad->{connected}[3]{code}, 'NetConnection.Connect.InvalidApp',
    'connect, invalid app code');
ok($bad->status('NetConnection.Connect.Closed'), 'connect, closed');
ok($bad->closed(5), 'connect, connection ends');

$bad = Test::RTMP->new($port);
$bad->command('createStream', 1, undef);
ok($bad->closed(5), 'command before connect');

# small commands

is($c->call('createStream', undef)->[3], 1, 'createStream');
is($c->call('createStream', undef)->[3], 2, 'createStream, second');
$c->command('deleteStream', 0, undef, num(1));
is($c->call('createStream', undef)->[3], 1, 'createStream, first again');
is($c->call('getStreamLength', undef, 'x')->[3], 0, 'getStreamLength');
is($c->call('_checkbw', undef)->[0], '_result', '_checkbw');
is($c->call('initStream', undef)->[0], '_result', 'initStream');
is($c->call('noSuchThing', undef, 'x')->[0], '_error', 'unknown call');

$c->command('noSuchThing', 0, undef, 'x');
$c->command('FCSubscribe', 0, undef, 'x');
my $m = $c->expect(sub { ref $_[0]{values} && $_[0]{type} == 20 });
is($m->{values}[0], 'onFCSubscribe', 'unknown call without answer');
is($m->{values}[3]{code}, 'NetStream.Play.Start', 'FCSubscribe');

my $many = client();
$many->publish('many');
my @ids = map { $many->call('createStream', undef)->[3] } 1 .. 20;
ok(!grep({ $_ == 1 || $_ > 7 } @ids), 'many streams') or diag("@ids");
$many->command_on(8, 'play', 0, undef, 'x');
ok($many->closed(5), 'play on a stream that was never created');

$c->close();

# publish

my $p = client('live?token=app');
$m = $p->publish('one');

is($m->{info}{code}, 'NetStream.Publish.Start', 'publish');
is($m->{info}{level}, 'status', 'publish level');
is($m->{msid}, 1, 'publish stream id');

my $q = client();
$m = $q->publish('one', expect => 'NetStream.Publish.BadName');
ok($m, 'publish twice');
is($m->{info}{level}, 'error', 'publish twice, level');
$m = $q->publish('other', again => 1, fmle => 1);
ok($m, 'publish another name after that');
ok(grep({ $_->{values} && $_->{values}[0] eq 'onFCPublish' } @{$q->{seen}}),
    'onFCPublish');

$q->command('FCUnpublish', 7, undef, 'other');
ok($q->expect(sub { ($_[0]{values} || [''])->[0] eq 'onFCUnpublish' }),
    'onFCUnpublish');
ok($q->status('NetStream.Unpublish.Success'), 'FCUnpublish');
ok($q->publish('other', again => 1), 'republish after FCUnpublish');
$q->command('deleteStream', 0, undef, num($q->{msid}));
ok($q->status('NetStream.Unpublish.Success'), 'deleteStream');
ok($q->publish('other'), 'republish after deleteStream');
$q->command_on($q->{msid}, 'closeStream', 0, undef);
ok($q->status('NetStream.Unpublish.Success'), 'closeStream');
$q->command_on($q->{msid}, 'publish', 0, undef, 'b.hls.c', 'live');
ok($q->status('NetStream.Publish.BadName'), 'publish, name of hls');
$q->close();

# play

start($p);
my $v = client();
$m = $v->play('one?token=abc', start => -2000);

is($m->{info}{level}, 'status', 'play');
is(join(' ', map { $_->{values} ? $_->{values}[3]{code} : $_->{type} }
    @{$v->{seen}}), '4 NetStream.Play.Reset', 'play, begin and reset');
ok($v->status('NetStream.Data.Start'), 'play, data start');
ok(grep({ $_->{values} && $_->{values}[0] eq '|RtmpSampleAccess' }
    @{$v->{seen}}), 'play, sample access');

$m = $v->read_type(18);
is($m->{values}[0], 'onMetaData', 'metadata');
is($m->{values}[1]{width}, 64, 'metadata, number');
is($m->{values}[1]{custom}, 'kept', 'metadata, unknown property');
ok(length $m->{values}[1]{server}, 'metadata, server');

$m = $v->read_video();
is($m->{body}, Test::RTMP::avc_config(), 'video config');
is($m->{csid}, 6, 'video chunk stream');
is($m->{msid}, $v->{msid}, 'video message stream');
$m = $v->read_video();
is(Test::RTMP::number($m), 1, 'first video');
is($m->{body}, Test::RTMP::avc_key(1, 300), 'first video body');

frames($p, 2, 8);
is(numbers($v, 9, 7), '2 3 4 5 6 7 8', 'video in order');

# receiveVideo, receiveAudio, pause, seek

$v->command_on($v->{msid}, 'receiveVideo', 0, undef, bool(0));
ok($v->call('getStreamLength', undef, 'x'), 'receiveVideo off');
frames($p, 9, 20);
is(kinds($v, 12, 20), 8, 'receiveVideo off, only audio');
$v->command_on($v->{msid}, 'receiveVideo', 0, undef, bool(1));
ok($v->status('NetStream.Seek.Notify'), 'receiveVideo on');
frames($p, 21, 30);
ok($v->read_video(), 'receiveVideo on, video');

$v->command_on($v->{msid}, 'pause', 0, undef, bool(1), num(0));
ok($v->status('NetStream.Pause.Notify'), 'pause');
ok($v->user_event(1), 'pause, stream eof');
frames($p, 31, 40);
ok(!$v->read_message(0.5), 'pause, silence');
$v->command_on($v->{msid}, 'pause', 0, undef, bool(0), num(0));
ok($v->status('NetStream.Unpause.Notify'), 'unpause');
frames($p, 41, 50);
$m = $v->read_video();
ok($m && ord($m->{body}) == 0x17, 'unpause, keyframe first');

$v->command_on($v->{msid}, 'seek', 0, undef, num(1000));
ok($v->status('NetStream.Seek.Notify'), 'seek');
ok($v->status('NetStream.Play.Start'), 'seek goes on');

# play2, replay, names that are not there

$q = client();
ok($q->publish('two'), 'second source');
start($q);

$v->command_on($v->{msid}, 'play2', 0, undef, { streamName => 'two',
    oldStreamName => 'one', transition => 'switch' });
ok($v->status('NetStream.Play.Start'), 'play2');
ok($v->read_video(), 'play2, video');
$v->command_on($v->{msid}, 'closeStream', 0, undef);
ok($v->status('NetStream.Play.Stop'), 'closeStream');
ok($v->play('one', again => 1), 'replay');
ok($v->read_video(), 'replay, video');
ok($v->play('two', again => 1), 'replay without a stop');
ok($v->read_video(), 'replay without a stop, video');

# the publisher leaves

$q->close();
ok($v->status('NetStream.Play.UnpublishNotify'), 'UnpublishNotify');
is(join(' ', map { unpack('n', $_->{body}) } grep { $_->{type} == 4 }
    @{$v->{seen}}), '2 1', 'stream dry, stream eof');

$q = client();
ok($q->publish('two'), 'it comes back');
ok($v->status('NetStream.Play.PublishNotify'), 'PublishNotify');
start($q);
ok($v->read_video(), 'goes on');
$q->close();
ok($v->status('NetStream.Play.Stop', 8), 'Play.Stop');
ok($v->closed(5), 'idle player is closed');

$v = client();
ok($v->play('nobody', expect => 'NetStream.Play.StreamNotFound'),
    'StreamNotFound');
ok($v->closed(5), 'StreamNotFound, closed');

$v = client();
$v->play('late', expect => 'nothing');
ok(!$v->status('NetStream.Play.Start', 0.5), 'player waits');
$q = client();
$q->publish('late');
ok($v->status('NetStream.Play.Start'), 'player that waited plays');
$q->close();
$v->close();

# AMF3

my $f = Test::RTMP->new($port)->connect('live', objectEncoding => num(3));
is($f->{connected}[3]{objectEncoding}, 3, 'AMF3, objectEncoding');
$f->{amf3} = 1;
is($f->create_stream(), 1, 'AMF3, createStream');
is($f->publish('three', again => 1)->{type}, 17, 'AMF3, publish');
$f->send_message(15, 1, 0, "\0" . amf0('@setDataFrame', 'onMetaData')
    . Test::RTMP::amf3_object({ title => 'three' }));
$f->video(0, Test::RTMP::avc_config());
$f->video(40, Test::RTMP::avc_key(1));

$v = client();
$v->play('three');
$m = $v->expect(sub { ($_[0]{values} || [''])->[0] eq 'onMetaData' });
is($m->{values}[1]{title}, 'three', 'AMF3, metadata');
$f->close();
$v->close();

# ping

$v = client();
$v->play('one?token=abc');
ok($v->user_event(6), 'ping');

# access log

$p->close();
$v->close();

ok(wait_until(sub { ($t->read_file('media.log') || '')
    =~ m!^rtmp live/one \[token=abc\] \[abc\] 200$!m }),
    'variables of a player');
like($t->read_file('media.log'), qr!^rtmp live/one \[token=app\] \[app\] 200!m,
    'variables of a publisher');
like($t->read_file('media.log'), qr!^rtmp / \[\] \[-\] 400$!m,
    'variables without names');

done_testing();

###############################################################################

sub client {
    my ($app) = @_;
    return Test::RTMP->new($port)->connect($app || 'live');
}

# configurations, metadata and the first frames

sub start {
    my ($p) = @_;

    $p->data(0, '@setDataFrame', 'onMetaData',
        { width => num(64), custom => 'kept' });
    $p->video(0, Test::RTMP::avc_config());
    $p->audio(0, Test::RTMP::aac_config());
    $p->video(40, Test::RTMP::avc_key(1, 300));
    $p->audio(40, Test::RTMP::aac_frame(1));
}

sub frames {
    my ($p, $from, $to) = @_;

    for my $n ($from .. $to) {
        $p->video($n * 40, $n % 5 == 1 ? Test::RTMP::avc_key($n, 300)
            : Test::RTMP::avc_inter($n));
        $p->audio($n * 40, Test::RTMP::aac_frame($n));
    }
}

sub numbers {
    my ($c, $type, $n) = @_;

    return join ' ', map { my $m = $c->read_type($type);
        $m ? Test::RTMP::number($m) : 'none' } 1 .. $n;
}

# types of media up to the audio frame with that number

sub kinds {
    my ($c, $from, $to) = @_;

    my %kinds;

    while (my $m = $c->read_message(3)) {
        next unless $m->{type} == 8 || $m->{type} == 9;
        my $n = Test::RTMP::number($m) || 0;
        $kinds{$m->{type}} = 1 if $n >= $from;
        last if $m->{type} == 8 && $n == $to;
    }

    return join ' ', sort keys %kinds;
}

###############################################################################
