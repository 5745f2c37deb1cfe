#!/usr/bin/perl

# Copyright (C) the nginx media suite authors

# media_events: what clients do in any worker is told to listeners of all
# workers, in one order, once; filters, Last-Event-ID, health; reload and the
# death of a worker; slow listeners, HTTP/2 and TLS.

use warnings;
use strict;

use Test::More;

BEGIN { use FindBin; chdir($FindBin::Bin); }

use lib 'lib';
use Test::Nginx;
use Test::RTMP;

use IO::Select;
use JSON::PP;
use Socket qw/ SOL_SOCKET SO_RCVBUF inet_aton pack_sockaddr_in /;

###############################################################################

select STDERR; $| = 1;
select STDOUT; $| = 1;

my $t = Test::Nginx->new()->has(qw/http stream rtmp flv_live/);

$t->write_file_expand('nginx.conf', <<'EOF_CONF');

%%TEST_GLOBALS%%

daemon off;

worker_processes %%WORKERS%%;

events {
}

media {
    zone 64m;
    publish_timeout 20s 60s;
    application keys { publish_name k7Gq2vXp news; }
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

    ssl_certificate_key localhost.key;
    ssl_certificate localhost.crt;

    server {
        listen       127.0.0.1:8080 reuseport;
        listen       127.0.0.1:8443 ssl http2;
        server_name  localhost;

        location / {
            flv_live;
        }

        location /events {
            media_events;
        }

        location /api/ {
            media_api write;
        }
    }

    server {
        listen       127.0.0.1:8081 sndbuf=8k;
        server_name  localhost;
        send_timeout 2s;

        location /events {
            media_events;
        }

        location /long {
            media_events;
            send_timeout 60s;
        }
    }
}

EOF_CONF

$t->write_cert('localhost');
$t->run();

###############################################################################

# the request

my $r = http("HEAD /events HTTP/1.0\r\n\r\n");
is(http_status($r), 200, 'HEAD');
like($r, qr!^Content-Type: text/event-stream\r$!m, 'type');
like($r, qr!^Cache-Control: no-store\r$!m, 'not to be cached');
is(http_status(http_post('/events', 'x')), 405, 'POST');
is(http_status(http_get('/events?event=publish,nothing')), 400,
    'an event that is none');

# listeners of all workers see the same

my @all = map { Listener->new('/events') } 1 .. 16;
ok(wait_until(sub { !grep { !$_->read()->{text} } @all }, 5), 'they listen');
like($all[0]{text}, qr/^retry: \d+\nid: [0-9a-z]{8}-\d+\n\n/, 'where it begins');

my @pub = map { publisher("s$_", '?token=secret1') } 1 .. 8;
my @play = map { http_start("GET /live/s$_.flv?token=secret2 HTTP/1.0\r\n\r\n") }
    1 .. 8;

for my $l (@all) {
    ok(wait_until(sub { $l->count('play') == 8 }, 10), 'plays');
    is($l->count('publish'), 8, 'publishes');
    is($l->count('connect'), 8, 'connects');
}

my @names = map { $_->{stream} } $all[0]->of('publish');
is(join(' ', sort @names), join(' ', map { "s$_" } 1 .. 8), 'streams');

my %workers = map { $_->{worker} => 1 } $all[0]->of('publish', 'play');
cmp_ok(scalar keys %workers, '>', 1, 'of more than one worker');

my ($e) = $all[0]->of('publish');
is($e->{vhost}, '__defaultVhost__', 'vhost');
is($e->{app}, 'live', 'app');
is($e->{protocol}, 'rtmp', 'protocol');
like($e->{type}, qr/^(flash|fmle)-publish$/, 'type');
is($e->{ip}, '127.0.0.1', 'address');
like($e->{client_id}, qr/^[0-9a-z]{8}$/, 'client');
cmp_ok(abs($e->{time} / 1000 - time()), '<', 60, 'time');

($e) = $all[0]->of('play');
is($e->{protocol}, 'flv', 'a player of HTTP');

is(join(',', $_->ids()), join(',', $all[0]->ids()), 'one order') for @all;

# the end of each

$_->close() for @play;
$pub[0]->close();

my $kick = $t->api_get('/api/v1/clients/');
my ($id) = map { $_->{id} } grep { $_->{publish} && $_->{url} eq '/live/s2' }
    @{$kick->{clients}};
$t->api_request('DELETE', "/api/v1/clients/$id");

for my $l ($all[0], $all[-1]) {
    ok(wait_until(sub { $l->count('stop') == 8 && $l->count('close') >= 2 },
        10), 'stops and closes');
    my %why = map { $_->{stream} => $_->{reason} } $l->of('unpublish');
    is($why{s1}, 'closed', 'the client left');
    is($why{s2}, 'kicked', 'it was kicked');
}

($e) = $all[0]->of('unpublish');
like($e->{duration_ms}, qr/^\d+$/, 'duration');
cmp_ok($e->{recv_bytes}, '>', 1000, 'bytes');

# no secrets

unlike($all[0]{text}, qr/secret|token/, 'no arguments');

# filters

my $only = Listener->new('/events?app=live&stream=f1&event=publish,unpublish');
my $none = Listener->new('/events?app=other');
ok(wait_until(sub { $only->read()->{text} && $none->read()->{text} }, 5),
    'filters');
my $f1 = publisher('f1');
my $f2 = publisher('f2');
$_->close() for $f1, $f2;
ok(wait_until(sub { $only->count('unpublish') == 1 }, 10), 'what was asked');
is(scalar(() = $only->events()), 2, 'and nothing else');
is(scalar(() = $none->events()), 0, 'nothing of another application');

# a key that stands for a name

my $key = Test::RTMP->new(port(1935))->connect('keys');
$key->publish('k7Gq2vXp');
$key->close();
ok(wait_until(sub { grep { $_->{stream} eq 'news' } $all[0]->of('unpublish') },
    10), 'the name of a key');
unlike($all[0]{text}, qr/k7Gq2vXp/, 'no key');

# Last-Event-ID

my @ids = $all[1]->ids();
my $again = Listener->new('/events', $ids[4]);
ok(wait_until(sub { ($again->ids())[-1] // '' eq ($all[1]->ids())[-1] }, 5),
    'it goes on');
is(($again->ids())[0], $ids[5], 'with the next one');

my $other = Listener->new('/events', 'nobody00-17');
ok(wait_until(sub { $other->count('lost') == 1 }, 5),
    'an id of another life');
is(($other->ids())[0], $ids[0], 'all that is kept');

# health

ok(wait_until(sub { $all[0]->count('health') >= 3 }, 10), 'health');
($e) = $all[0]->of('health');
like($e->{stream}, qr/^s\d$/, 'of a stream');
is(ref $e->{health}{tracks}, 'ARRAY', 'as in the API');

# a worker dies: each end is told, once

my $before = $all[0]->count('unpublish');
my %of;
push @{$of{$_->{worker}}}, $_->{stream}
    for grep { $_->{stream} =~ /^s[3-8]$/ } $all[0]->of('publish');
my ($victim) = sort { @{$of{$b}} <=> @{$of{$a}} } keys %of;
my $dead = @{$of{$victim}};

$t->kill_worker($victim);

my ($alive) = grep { !$_->closed() } @all;
ok($alive, 'a listener of another worker');
ok(wait_until(sub {
    grep({ $_->{reason} eq 'died' } $alive->of('unpublish')) == $dead
}, 10), "$dead unpublished by death");
select undef, undef, undef, 1.5;
is(scalar(grep { $_->{reason} eq 'died' } $alive->of('unpublish')), $dead,
    'once each');

# who listened there comes back to another worker

my ($cut) = grep { $_->closed() } @all;

SKIP: {
    skip 'nobody listened there', 2 unless $cut;

    my $back = Listener->new('/events?event=unpublish', $cut->last_id());
    ok(wait_until(sub {
        grep({ $_->{reason} eq 'died' } $back->of('unpublish')) == $dead
    }, 10), 'it is told what it has missed');
    is($back->count('lost'), 0, 'all of it');
}

# reload: listeners are sent away, and go on where they were

my $mine = Listener->new('/events?event=publish');
ok(wait_until(sub { $mine->read()->{text} }, 5), 'before the reload');
my $r1 = publisher('r1');
ok(wait_until(sub { $mine->count('publish') == 1 }, 5), 'an event');

ok($t->reload(), 'reload');
my $idle = Listener->new('/events?app=nothing');
my $r2 = publisher('r2');
ok(wait_until(sub { $mine->closed() }, 10), 'the old worker ends it');
like($mine->{text}, qr/\n\n\z/, 'at the end of an event');

my $new = Listener->new('/events?event=publish', $mine->last_id());
my $r3 = publisher('r3');
ok(wait_until(sub { $new->count('publish') + $mine->count('publish') == 3 },
    10), 'nothing is missing');
is(join(' ', map { $_->{stream} } $mine->of('publish'), $new->of('publish')),
    'r1 r2 r3', 'nothing twice');

# who does not read loses the oldest events, or is closed

my $kinds = '?event=connect,close,publish,unpublish,play,stop';
my $slow = Listener->new("/long$kinds", undef, 8081, 4096);
my $stuck = Listener->new("/events$kinds", undef, 8081, 4096);
my $quick = Listener->new("/events$kinds");
ok(wait_until(sub { $quick->read()->{text} }, 5), 'a quick one');

for my $round (1 .. 16) {
    my $s = http_start("HEAD /live/r1.flv HTTP/1.1\r\nHost: localhost\r\n\r\n"
        x 500 . "HEAD /live/r1.flv HTTP/1.0\r\n\r\n");
    wait_until(sub { $quick->read(); IO::Select->new($s)->can_read(0)
        && !sysread($s, my $data, 1 << 20) }, 30);
    $s->close();
    wait_until(sub { $quick->count('stop') == $round * 501 }, 30);
}

my $plays = 16 * 501;

ok(wait_until(sub { $quick->count('stop') == $plays }, 30), 'all events')
    or diag($quick->count('stop'));
is($quick->count('lost'), 0, 'the quick one lost none');

ok(wait_until(sub {
    my $log = $t->read_file('error.log') // '';
    $log =~ /client of events timed out/;
}, 10), 'one that takes nothing is closed');

ok(wait_until(sub { ($slow->last_id() // '') eq $quick->last_id() }, 30),
    'the slow one comes to the end');
my @lost = $slow->of('lost');
cmp_ok(scalar @lost, '>=', 1, 'it is told that it lost events');
my $sum = $slow->events() - @lost;
$sum += $_->{count} for @lost;
my ($from) = $slow->{text} =~ /^id: \w+-(\d+)$/m;
my ($to) = $slow->last_id() =~ /-(\d+)$/;
is($sum, $to - $from, 'and how many');

# HTTP/2 and TLS

my $tls = 'https://localhost:' . port(8443);

for my $version ('--http2', '--http1.1') {
    my $curl = open(my $fh, '-|', "timeout 8 curl -sNk $version "
        . "'$tls/events?event=publish,unpublish'") or die;
    my $l = Listener->of_handle($fh);
    ok(wait_until(sub { $l->read()->{text} }, 5), "$version begins");
    my $p = publisher("h$version");
    ok(wait_until(sub { $l->count('publish') == 1 }, 5), "$version publish");
    $p->close();
    ok(wait_until(sub { $l->count('unpublish') == 1 }, 5),
        "$version unpublish");
    kill 'TERM', $curl;
    close $fh;
}

# nothing to tell

ok(wait_until(sub { $idle->read()->{text} =~ /^:$/m }, 20),
    'a comment now and then');
ok(!$idle->closed(), 'it is not closed');

# nobody is left behind

undef @all;
undef $_ for $only, $none, $again, $other, $new, $quick, $slow, $stuck, $alive;

my $end = publisher('end');
ok($end, 'it goes on without listeners');
$_->close() for $end, $r1, $r2, $r3, @pub;

done_testing();

###############################################################################

sub publisher {
    my ($name, $args) = @_;

    my $p = Test::RTMP->new(port(1935))->connect('live');
    $p->publish($name . ($args // ''));
    $p->video(0, Test::RTMP::avc_config());
    $p->video(40 * $_, Test::RTMP::avc_key($_)) for 1 .. 10;

    return $p;
}

###############################################################################

package Listener;

use Test::Nginx;

sub new {
    my ($class, $uri, $last, $port, $rcvbuf) = @_;

    socket(my $s, Socket::PF_INET(), Socket::SOCK_STREAM(), 0) or die;
    setsockopt($s, Socket::SOL_SOCKET(), Socket::SO_RCVBUF(), $rcvbuf)
        if $rcvbuf;
    connect($s, Socket::pack_sockaddr_in(port($port || 8080),
        Socket::inet_aton('127.0.0.1'))) or die "connect: $!";

    my $request = "GET $uri HTTP/1.0\r\n"
        . (defined $last ? "Last-Event-ID: $last\r\n" : '') . "\r\n";
    syswrite $s, $request;

    return bless { socket => $s, raw => '', text => '', head => 1 }, $class;
}

sub of_handle {
    my ($class, $s) = @_;
    return bless { socket => $s, raw => '', text => '', head => 0 }, $class;
}

sub read {
    my ($self) = @_;

    while (!$self->{eof}
           && IO::Select->new($self->{socket})->can_read(0))
    {
        my $n = sysread $self->{socket}, $self->{raw}, 1 << 20,
            length $self->{raw};
        $self->{eof} = 1 unless $n;
    }

    if ($self->{head} && $self->{raw} =~ s/^.*?\r\n\r\n//s) {
        $self->{head} = 0;
    }

    if (!$self->{head}) {
        $self->{text} .= $self->{raw};
        $self->{rest} .= $self->{raw};
        $self->{raw} = '';

        while ($self->{rest} =~ s/^(.*?)\n\n//s) {
            my %f = map { /^(\w*): ?(.*)$/ ? ($1 => $2) : () }
                split /\n/, $1;
            $self->{last} = $f{id} if defined $f{id};
            next unless defined $f{data};
            my $e = JSON::PP::decode_json($f{data});
            $e->{id} = $f{id};
            $e->{_event} = $f{event};
            push @{$self->{events}}, $e;
            $self->{count}{$f{event}}++;
        }
    }

    return $self;
}

sub closed { $_[0]->read(); return $_[0]{eof} }
sub last_id { $_[0]->read(); return $_[0]{last} }
sub events { $_[0]->read(); return @{$_[0]{events} || []} }
sub count { $_[0]->read(); return $_[0]{count}{$_[1]} || 0 }
sub ids { return map { $_->{id} } grep { defined $_->{id} } $_[0]->events() }

sub of {
    my ($self, @kinds) = @_;
    my %want = map { $_ => 1 } @kinds;
    return grep { $want{$_->{event}} } $self->events();
}

###############################################################################
