package Test::Nginx::Access;

# Copyright (C) the nginx media suite authors

# Who may publish and play: clients of each protocol from any address of the
# loopback network, and what they are told.
#
#     my ($code, $c) = rtmp_publish('live', 'x?secret=s', from => '127.0.0.2');
#     my ($code, $c) = rtmp_play('live', 'x');
#     is(http_play('/live/x.flv'), 200);       the connection ends
#     my $s = http_player('/live/x.flv');      undef where it is refused
#     is(http_push('/push/live/x.flv'), 200);
#
# RTMP tells "Publish.Start", "Publish.Denied" and so on, or "closed".

use warnings;
use strict;

use base qw/ Exporter /;

our @EXPORT = qw/ rtmp_publish rtmp_play http_play http_player http_push
    feed hidden /;

use IO::Socket::INET;
use Socket qw/ CRLF /;

use Test::Nginx;
use Test::Nginx::FLV;
use Test::RTMP;


sub _socket {
    my ($port, $from) = @_;

    return IO::Socket::INET->new(Proto => 'tcp', LocalAddr => $from
        || '127.0.0.1', PeerAddr => '127.0.0.1', PeerPort => $port,
        Timeout => 5);
}

sub _rtmp {
    my ($app, %o) = @_;

    my $port = port($o{port} || 1935);
    my $c = Test::RTMP->new($port, socket => _socket($port, $o{from}));

    $c->connect($app, %{$o{props} || {}});
    $c->create_stream();

    return $c;
}

sub _told {
    my ($c, $command, $name) = @_;

    $c->command_on($c->{msid}, $command, 0, undef, $name, 'live');

    my $m = $c->expect(sub {
        my ($v) = $_[0]{values} or return 0;
        my ($info) = grep { ref $_ eq 'HASH' } @$v;
        return ($v->[0] // '') eq 'onStatus' && $info
            && $info->{code} !~ /Play\.(Reset|Stop)|Data\.Start/;
    }, 10) or return 'closed';

    my ($info) = grep { ref $_ eq 'HASH' } @{$m->{values}};

    return $info->{code} =~ s/^NetStream\.//r;
}

# $o{client}: one that has connected already

sub rtmp_publish {
    my ($app, $name, %o) = @_;

    my $c = $o{client} || _rtmp($app, %o);
    my $code = _told($c, 'publish', $name);

    feed($c) if $code eq 'Publish.Start';

    return wantarray ? ($code, $c) : $code;
}

sub rtmp_play {
    my ($app, $name, %o) = @_;

    my $c = $o{client} || _rtmp($app, %o);
    my $code = _told($c, 'play', $name);

    return wantarray ? ($code, $c) : $code;
}

# something to play

sub feed {
    my ($c, $from) = @_;

    $from ||= 0;
    $c->video($from, Test::RTMP::avc_config());
    $c->video($from + $_ * 40, $_ % 25 ? Test::RTMP::avc_inter($_)
        : Test::RTMP::avc_key($_)) for 0 .. 30;
}

sub _request {
    my ($method, $path, %o) = @_;

    my $s = _socket(port($o{port} || 8080), $o{from}) or return undef;

    my $header = join '', map { "$_: $o{header}{$_}" . CRLF }
        sort keys %{$o{header} || {}};

    $s->autoflush(1);
    print $s "$method $path HTTP/1.1" . CRLF . 'Host: '
        . ($o{host} || 'localhost') . CRLF . 'Connection: close' . CRLF
        . $header . CRLF . ($o{body} // '');

    return $s;
}

sub _head {
    my ($s, $timeout) = @_;

    my $head = '';
    my $select = IO::Select->new($s);

    while ($head !~ /\r\n\r\n/ && $select->can_read($timeout || 10)) {
        last unless $s->sysread($head, 4096, length $head);
    }

    return $head;
}

sub http_play {
    my ($path, %o) = @_;

    my $s = _request('GET', $path, %o) or return 'no connection';

    return http_status(_head($s)) || 'closed';
}

sub http_player {
    my ($path, %o) = @_;

    my $s = _request('GET', $path, %o) or return undef;

    return (http_status(_head($s)) || 0) == 200 ? $s : undef;
}

# Publishes a moment of FLV.

sub http_push {
    my ($path, %o) = @_;

    my $body = _flv(10);
    my $s = _request('POST', $path, %o, body => $body, header => {
        'Content-Length' => length $body, %{$o{header} || {}} })
        or return 'no connection';

    return http_status(_head($s)) || 'closed';
}

sub _flv {
    my ($n) = @_;

    my $flv = flv_start(1);

    for my $i (0 .. $n) {
        my $body = !$i ? Test::RTMP::avc_config()
            : $i == 1 ? Test::RTMP::avc_key(1) : Test::RTMP::avc_inter($i);

        $flv .= pack('C', 9) . substr(pack('N', length $body), 1)
            . substr(pack('N', $i * 40), 1) . "\0\0\0\0" . $body
            . pack('N', 11 + length $body);
    }

    return $flv;
}

# None of these words is in a text: '' or the first that is.

sub hidden {
    my ($text, @words) = @_;

    for my $word (@words) {
        return $word if index($text // '', $word) >= 0;
    }

    return '';
}


1;
