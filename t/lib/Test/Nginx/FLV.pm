package Test::Nginx::FLV;

# Copyright (C) the nginx media suite authors

# Looks into FLV bodies.

use warnings;
use strict;

use base qw/ Exporter /;

our @EXPORT = qw/ flv_start flv_tags check_flv /;

use Test::More qw//;


# File header and first previous tag size.

sub flv_start {
    my ($flags) = @_;
    return pack('a3CCN', 'FLV', 1, $flags, 9) . pack('N', 0);
}

# The tags of a body that may be cut off anywhere: { type, ms, body, kind };
# kind is script, avc or aac (sequence headers), eos, key, inter or audio.  And
# what is wrong with them, or an empty string.

sub flv_tags {
    my ($flv) = @_;

    my ($pos, $fault, @tags) = (13, '');

    while ($pos + 11 <= length $flv) {
        my ($type, $size, $ms, $ext) = unpack 'CB24B24C', substr $flv, $pos;
        ($size, $ms) = map { oct "0b$_" } $size, $ms;
        $ms |= $ext << 24;

        last if $pos + 15 + $size > length $flv;

        my $body = substr $flv, $pos + 11, $size;
        my $prev = unpack 'N', substr $flv, $pos + 11 + $size, 4;

        $fault ||= "previous size $prev of $size at $pos"
            if $prev != $size + 11;
        $fault ||= "type $type at $pos" unless $type =~ /^(8|9|18)$/;

        last if $fault;

        my ($a, $b) = (unpack('CC', $body), 0, 0);

        push @tags, { type => $type, ms => $ms, body => $body, kind =>
            $type == 18 ? 'script'
                : $b == 0 ? $type == 9 ? 'avc' : 'aac'
                : $type == 8 ? 'audio' : $b == 2 ? 'eos'
                : $a >> 4 == 1 ? 'key' : 'inter' };

        $pos += 15 + $size;
    }

    return (\@tags, $fault);
}


# Four tests of a body that may be cut off anywhere: the flags; that tags
# follow each other and time does not go back; that metadata and sequence
# headers stand first and a keyframe follows; that there is what should be.
# Gives the number of frames.

sub check_flv {
    my ($flv, $name, $video, $audio) = @_;

    $flv = '' unless defined $flv;

    my $flags = ($audio ? 4 : 0) | ($video ? 1 : 0);

    Test::More::is(unpack('H*', substr($flv, 0, 13)),
        unpack('H*', flv_start($flags)), "$name: flags");

    my ($tags, $fault) = flv_tags($flv);

    # an end of sequence may bear the time of its own track

    $tags = [ grep { $_->{kind} ne 'eos' } @$tags ];

    for my $i (1 .. $#$tags) {
        $fault ||= "time $tags->[$i]{ms} after $tags->[$i - 1]{ms}"
            if $tags->[$i]{ms} < $tags->[$i - 1]{ms};
    }

    Test::More::is($fault, '', "$name: tags");

    my @kinds = map { $_->{kind} } @$tags;
    my @first;

    push @first, shift @kinds
        while @kinds && $kinds[0] =~ /^(script|avc|aac)$/;

    my ($frame) = grep { $_ =~ /key|inter/ } @kinds;

    Test::More::is(join(' ', @first, $frame || ()), join(' ', 'script',
        $video ? 'avc' : (), $audio ? 'aac' : (), $video ? 'key' : ()),
        "$name: what stands first");

    my @frames = grep { $_ =~ /key|inter|audio/ } @kinds;

    Test::More::is(join(' ', (grep({ $_ ne 'audio' } @frames) ? 1 : 0),
        (grep({ $_ eq 'audio' } @frames) ? 1 : 0)), "$video $audio",
        "$name: tracks");

    return scalar @frames;
}


1;
