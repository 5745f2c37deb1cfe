package Test::Nginx::Enhanced;

# Copyright (C) the nginx media suite authors

# Bodies of Enhanced RTMP v2, by the layouts of its specification: what a
# publisher of our own sends, and what a player of our own makes of what it is
# sent.  Nothing here looks at how the server does it.

use warnings;
use strict;

use base qw/ Exporter /;

our @EXPORT = qw/ ex one_track many_tracks many_codecs modex
    body_read body_list /;

use Test::RTMP;

# packet types

use constant { FRAMES => 1, MODEX => 7 };

# the first byte; key of a video

sub first_byte {
    my ($kind, $packet, $key) = @_;

    return chr($kind eq 'a' ? 0x90 | $packet
        : 0x80 | ($key ? 1 : 2) << 4 | $packet);
}

# A body of one track without multitrack: ex('a', 1, 'Opus', data)

sub ex {
    my ($kind, $packet, $fourcc, $data, $key) = @_;

    return first_byte($kind, $packet, $key) . $fourcc . $data;
}

sub multi { return $_[0] eq 'a' ? 5 : 6 }

sub one_track {
    my ($kind, $packet, $fourcc, $id, $data, $key) = @_;

    return first_byte($kind, multi($kind), $key) . chr(0x00 | $packet)
        . $fourcc . chr($id) . $data;
}

# many_tracks('v', 1, 'avc1', $key, id => data, ...)

sub many_tracks {
    my ($kind, $packet, $fourcc, $key, @tracks) = @_;

    my $body = first_byte($kind, multi($kind), $key) . chr(0x10 | $packet)
        . $fourcc;

    while (my ($id, $data) = splice @tracks, 0, 2) {
        $body .= chr($id) . u24(length $data) . $data;
    }

    return $body;
}

# many_codecs('a', 1, $key, [fourcc, id, data], ...)

sub many_codecs {
    my ($kind, $packet, $key, @tracks) = @_;

    my $body = first_byte($kind, multi($kind), $key) . chr(0x20 | $packet);

    $body .= $_->[0] . chr($_->[1]) . u24(length $_->[2]) . $_->[2]
        for @tracks;

    return $body;
}

# A body with an offset in ns before its packet type

sub modex {
    my ($ns, $body) = @_;

    my $first = ord $body;

    return chr($first & 0xf0 | MODEX) . "\x02" . u24($ns)
        . chr($first & 0x0f) . substr($body, 1);
}

sub u24 { return substr pack('N', $_[0]), 1 }

###############################################################################

# A body into words: "v0 avc1 key 12", "*a1 Opus config", "a0 aac - 3 +456000".
# "*" is multitrack; codecs of the older form have names in small letters (avc,
# aac, mp3, hevc).  Dies where it is no body.

sub body_read {
    my ($type, $body) = @_;

    my $kind = $type == 9 ? 'v' : 'a';
    my $b = ord $body;
    my ($codec, $packet, $id, $many, $nano) = ('', 0, 0, '', 0);
    my $key = $kind eq 'v' && ($b >> 4 & 7) == 1;

    my $ex = $kind eq 'v' ? $b & 0x80 : $b >> 4 == 9;

    if (!$ex) {
        $codec = $kind eq 'v' ? { 7 => 'avc', 12 => 'hevc' }->{$b & 15}
            : { 10 => 'aac', 2 => 'mp3' }->{$b >> 4};
        die "codec of $b" unless $codec;

        $packet = $codec eq 'mp3' ? 1 : ord substr $body, 1, 1;
        $body = substr $body, $codec eq 'mp3' ? 1 : $kind eq 'v' ? 5 : 2;

        return words($kind, 0, '', $codec, $packet, $key, 0, $body);
    }

    $packet = $b & 15;
    substr($body, 0, 1) = '';

    while ($packet == MODEX) {
        my $n = 1 + ord substr $body, 0, 1, '';
        $n = 1 + unpack 'n', substr $body, 0, 2, '' if $n == 256;
        my $data = substr $body, 0, $n, '';
        my $next = ord substr $body, 0, 1, '';
        $nano = unpack 'N', "\0$data" if $next >> 4 == 0;
        $packet = $next & 15;
    }

    if ($packet == multi($kind)) {
        $many = '*';
        my $next = ord substr $body, 0, 1, '';
        die 'not OneTrack' if $next >> 4;
        $packet = $next & 15;
    }

    $codec = substr $body, 0, 4, '';
    $id = ord substr $body, 0, 1, '' if $many;

    # coded frames of these carry a composition time

    substr($body, 0, 3) = ''
        if $packet == FRAMES && $codec =~ /^(avc1|hvc1|vvc1)$/;

    return words($kind, $id, $many, $codec, $packet, $key, $nano, $body);
}

sub words {
    my ($kind, $id, $many, $codec, $packet, $key, $nano, $data) = @_;

    my $what = { 0 => 'config', 2 => 'end' }->{$packet};

    $what ||= $packet == 1 || $packet == 3 && $kind eq 'v'
        ? $kind eq 'a' ? '-' : $key ? 'key' : 'inter' : "packet$packet";

    my $n = Test::RTMP::number({ body => $data });

    return join ' ', "$many$kind$id", $codec, $what, defined $n ? $n : (),
        $nano ? "+$nano" : ();
}

# Bodies of messages or FLV tags as words, one string; pattern: only those.

sub body_list {
    my ($pattern, @messages) = @_;

    return join ', ', grep { $_ =~ $pattern }
        map { body_read($_->{type}, $_->{body}) }
        grep { $_->{type} == 8 || $_->{type} == 9 } @messages;
}


1;
