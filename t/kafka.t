#!/usr/bin/perl

# Copyright (C) the nginx media suite authors

# media_kafka: events of all workers come to a topic, once each and those of a
# stream in their order, through reloads and while brokers are away; a queue
# that is full drops, and nothing of it holds up streams or the end of a
# worker.  Against the mock cluster of librdkafka.

use warnings;
use strict;

use Test::More;

BEGIN { use FindBin; chdir($FindBin::Bin); }

use lib 'lib';
use Test::Nginx;
use Test::RTMP;

use IPC::Open2;
use JSON::PP;
use Time::HiRes qw/ time /;

###############################################################################

select STDERR; $| = 1;
select STDOUT; $| = 1;

plan(skip_all => 'no librdkafka')
    if system("echo '#include <librdkafka/rdkafka.h>'"
        . ' | cc -E -x c - > /dev/null 2>&1');

my $t = Test::Nginx->new()->has(qw/http stream rtmp flv_live kafka/)
    ->modules(qw/media rtmp flv_live kafka/);

my $mock = $t->testdir() . '/mock';
my $source = "$Test::Nginx::ROOT/t/tools/kafka/mock.c";
my $out = `cc -O1 -g -W -Wall -Werror -o $mock $source -lrdkafka 2>&1`;
is($out, '', 'the mock is built');

my $pid = open2(my $from, my $to, $mock, 'media');
my $cluster = Cluster->new($from, $to);
ok(wait_until(sub { $cluster->read()->{brokers} }, 10), 'the mock runs');

my $conf = <<'EOF_CONF';

%%TEST_GLOBALS%%

daemon off;

worker_processes %%WORKERS%%;

events {
}

media {
    zone 64m;
    publish_timeout 20s 60s;
    %%KAFKA%%
}

stream {
    server {
        listen %%PORT_1935%%;
        rtmp { }
    }
}

http {
    %%TEST_GLOBALS_HTTP%%

    keepalive_requests 1000000;

    server {
        listen       127.0.0.1:8080;
        server_name  localhost;

        location / {
            flv_live;
        }

        location /metrics {
            media_metrics;
        }
    }
}

EOF_CONF

# configuration

refused('no topic', '', qr/invalid number of arguments/,
    "media_kafka $cluster->{brokers};");
refused('a topic that is none', '', qr/a topic of letters/,
    "media_kafka $cluster->{brokers} 'a b';");
refused('no such property', '', qr/No such configuration property/,
    "media_kafka $cluster->{brokers} media nonsense=1;");
refused('a value that is none', '', qr/"media_kafka": /,
    "media_kafka $cluster->{brokers} media compression.codec=fast;");
refused('a property of ours', '', qr/may not be set/,
    "media_kafka $cluster->{brokers} media bootstrap.servers=a:1;");
refused('twice', '', qr/duplicate/,
    "media_kafka a:1 media; media_kafka a:1 media;");
refused('in an application', '', qr/not allowed here/,
    "application live { media_kafka a:1 media; }");

configure("media_kafka $cluster->{brokers} media compression.codec=gzip;");
$t->run();

###############################################################################

# events come

my @pub = map { publisher("s$_", '?token=secret1') } 1 .. 8;
my @play = map { http_start("GET /live/s$_.flv?token=secret2 HTTP/1.0\r\n\r\n") }
    1 .. 8;

ok(wait_until(sub { $cluster->count('play') == 8
    && $cluster->count('publish') == 8 }, 20), 'publishes and plays');
is($cluster->count('connect'), 8, 'connects');

my %workers = map { $_->{worker} => 1 } $cluster->of('publish', 'play');
cmp_ok(scalar keys %workers, '>', 1, 'of more than one worker');

my ($e) = $cluster->of('publish');
is($e->{_key}, "__defaultVhost__/live/$e->{stream}", 'the key');
ok(wait_until(sub { $cluster->count('health') >= 8 }, 15), 'health');

like(http_get('/metrics'), qr/^nginx_media_events_delivered_total [1-9]/m,
    'they are counted');

# threads, and none of the master

is(threads($t->master()), 1, 'the master has one thread');
cmp_ok(threads(($t->workers())[0]), '>', 1, 'a worker has those of librdkafka');

# reload

my @old = $t->workers();

ok($t->reload(), 'reload');

$_->close() for @play, @pub;
ok(wait_until(sub { $cluster->count('unpublish') == 8
    && $cluster->count('stop') == 8 }, 20), 'the ends, of old workers');
ok(wait_until(sub { !grep { kill 0, $_ } @old }, 20), 'which end');
is($cluster->count('publish'), 8, 'nothing came twice');

my %order;
push @{$order{$_->{stream}}}, $_->{event}
    for grep { $_->{client_id} && $_->{protocol} eq 'rtmp' && $_->{stream} }
        $cluster->events();
is(scalar(grep { "@$_" ne 'publish unpublish' } values %order), 0,
    'events of a stream are in order');

unlike($cluster->{text}, qr/secret|token/, 'no arguments');

# brokers go away, and come back

$cluster->tell('down');

my $begin = time();
my $p = publisher('away');
my $flv = http_start("GET /live/away.flv HTTP/1.0\r\n\r\n");
ok(IO::Select->new($flv)->can_read(5), 'a stream without brokers');
cmp_ok(time() - $begin, '<', 2, 'without delay');
$flv->close();

$cluster->tell('up');
ok(wait_until(sub { grep { $_->{stream} && $_->{stream} eq 'away'
    && $_->{event} eq 'stop' } $cluster->events() }, 30),
    'events come when the brokers are back');

# slow brokers, a small queue: what finds no room is dropped

configure("media_kafka $cluster->{brokers} media health=off "
    . 'queue.buffering.max.messages=20 message.timeout.ms=5000;');
ok($t->reload(), 'a small queue');

$cluster->tell('down');

$begin = time();

my $many = http_start("HEAD /live/away.flv HTTP/1.1\r\nHost: localhost\r\n\r\n"
    x 2000 . "HEAD /live/away.flv HTTP/1.0\r\n\r\n");
http_end($many, timeout => 20);
cmp_ok(time() - $begin, '<', 10, 'thousands of events with no brokers');

ok(wait_until(sub { ($t->read_file('error.log') // '')
    =~ /events for Kafka are lost: .* [1-9]\d* found no room/ }, 20),
    'what is lost is told');
like(http_get('/metrics'), qr/^nginx_media_events_undelivered_total [1-9]/m,
    'and counted');

$begin = time();
@old = $t->workers();
$p->close();
ok($t->reload(), 'reload without brokers');
ok(wait_until(sub { !grep { kill 0, $_ } @old }, 10), 'old workers end');
cmp_ok(time() - $begin, '<', 12, 'soon');

$cluster->tell('up');

# names that nobody knows

configure('media_kafka nowhere.invalid:9092 media;');
ok($t->reload(), 'brokers that are not there');
$p = publisher('alone');
$flv = http_start("GET /live/alone.flv HTTP/1.0\r\n\r\n");
ok(IO::Select->new($flv)->can_read(5), 'streams go on');
$_->close() for $flv, $p;

close $to;
waitpid $pid, 0;

done_testing();

###############################################################################

sub configure {
    my ($kafka) = @_;
    my $text = $conf;
    $text =~ s/%%KAFKA%%/$kafka/;
    $t->write_file_expand('nginx.conf', $text);
}

sub refused {
    my ($name, $file, $why, $kafka) = @_;

    configure($kafka);

    my ($status, $text) = $t->test_config('nginx.conf');
    isnt($status, 0, $name);
    like($text, $why, "$name: why");
}

sub threads { my @tasks = glob "/proc/$_[0]/task/*"; return scalar @tasks }

sub publisher {
    my ($name, $args) = @_;

    my $p = Test::RTMP->new(port(1935))->connect('live');
    $p->publish($name . ($args // ''));
    $p->video(0, Test::RTMP::avc_config());
    $p->video(40 * $_, Test::RTMP::avc_key($_)) for 1 .. 10;

    return $p;
}

###############################################################################

package Cluster;

use Test::Nginx;

sub new {
    my ($class, $from, $to) = @_;
    $to->autoflush(1);
    return bless { from => $from, to => $to, text => '', rest => '' }, $class;
}

sub read {
    my ($self) = @_;

    while (IO::Select->new($self->{from})->can_read(0)) {
        sysread $self->{from}, $self->{rest}, 1 << 20, length $self->{rest}
            or last;
    }

    while ($self->{rest} =~ s/^(.*)\n//) {
        my $line = $1;

        $self->{text} .= "$line\n";
        $self->{brokers} = $1 if $line =~ /^brokers (\S+)/;
        $self->{done}++ if $line eq 'done';

        if ($line =~ /^message (\S+) (\{.*)$/) {
            my $e = JSON::PP::decode_json($2);
            $e->{_key} = $1;
            push @{$self->{events}}, $e;
            $self->{count}{$e->{event}}++;
        }
    }

    return $self;
}

sub tell {
    my ($self, $command) = @_;
    my $done = $self->{done} || 0;

    print { $self->{to} } "$command\n";
    Test::Nginx::wait_until(sub { ($self->read()->{done} || 0) > $done }, 10);
}

sub events { $_[0]->read(); return @{$_[0]{events} || []} }
sub count { $_[0]->read(); return $_[0]{count}{$_[1]} || 0 }

sub of {
    my ($self, @kinds) = @_;
    my %want = map { $_ => 1 } @kinds;
    return grep { $want{$_->{event}} } $self->events();
}

###############################################################################
