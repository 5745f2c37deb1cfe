package Test::Nginx::HLS;

# Copyright (C) the nginx media suite authors

# Requests for HLS and what stands in playlists:
#
#     my $a = get('/live/x.hls.0.m3u8');      { status, header, body, time }
#     my $p = playlist('/live/x.hls.0.m3u8'); { msn, segments, hint, ... }
#     get('/live/x.m3u8', header => { 'Accept-Encoding' => 'gzip' });
#
# checked() follows a stream with t/tools/check-hls.

use warnings;
use strict;

use base qw/ Exporter /;

our @EXPORT = qw/ get playlist parse hls_live checked start_get end_get
    decoded_frames /;

use Socket qw/ CRLF /;
use Time::HiRes qw/ time /;

use Test::Nginx;


sub start_get {
    my ($path, %o) = @_;

    my $method = $o{method} || 'GET';
    my $header = join '', map { "$_: $o{header}{$_}" . CRLF }
        sort keys %{$o{header} || {}};
    my $host = $o{host} || 'localhost';

    my $s = http_start("$method $path HTTP/1.1" . CRLF . "Host: $host" . CRLF
        . "Connection: close" . CRLF . $header . CRLF, %o);

    return { socket => $s, start => time() };
}

sub end_get {
    my ($a, %o) = @_;

    return { status => 0, header => {}, body => '', time => 0 }
        unless defined $a->{socket};

    my $reply = http_end($a->{socket}, timeout => 20, %o);
    my ($head, $body) = split /\r\n\r\n/, $reply, 2;
    my %header;

    for my $line (split /\r\n/, $head // '') {
        $header{lc $1} = exists $header{lc $1} ? "$header{lc $1}, $2" : $2
            if $line =~ /^([\w-]+):\s*(.*)$/;
    }

    return {
        status => http_status($reply) || 0,
        header => \%header,
        body => $body // '',
        time => time() - $a->{start},
    };
}

sub get {
    my ($path, %o) = @_;
    return end_get(start_get($path, %o), %o);
}


sub parse {
    my ($text) = @_;

    my %p = (text => $text, segments => [], parts => []);
    my ($duration, $date, @parts);

    for my $line (split /\n/, $text) {
        $p{msn} = $1 if $line =~ /^#EXT-X-MEDIA-SEQUENCE:(\d+)/;
        $p{target} = $1 if $line =~ /^#EXT-X-TARGETDURATION:(\d+)/;
        $p{part_target} = $1 if $line =~ /PART-TARGET=([\d.]+)/;
        $p{init} = $1 if $line =~ /^#EXT-X-MAP:URI="([^"]+)"/;
        $p{skipped} = $1 if $line =~ /SKIPPED-SEGMENTS=(\d+)/;
        $p{ended} = 1 if $line =~ /^#EXT-X-ENDLIST/;
        $p{discontinuities}++ if $line =~ /^#EXT-X-DISCONTINUITY$/;
        $p{hint} = $1 if $line =~ /^#EXT-X-PRELOAD-HINT:.*URI="([^"]+)"/;
        push @{$p{variants}}, $line if $line =~ /^#EXT-X-STREAM-INF:/;

        if ($line =~ /^#EXT-X-PART:.*URI="([^"]+)"/) {
            push @parts, $1;
            push @{$p{parts}}, $1;
        }

        $duration = $1 if $line =~ /^#EXTINF:([\d.]+)/;
        $date = $1 if $line =~ /^#EXT-X-PROGRAM-DATE-TIME:(\S+)/;

        if ($line =~ /^[^#]/) {
            push @{$p{uris}}, $line;
            push @{$p{segments}}, { uri => $line, duration => $duration,
                date => $date, parts => [ @parts ] } if defined $duration;
            ($duration, $date, @parts) = ();
        }
    }

    $p{open} = \@parts;

    if (defined $p{msn}) {
        $p{last} = $p{msn} + ($p{skipped} || 0) + @{$p{segments}} - 1;
    }

    ($p{next_msn}, $p{next_part}) = ($1, $2)
        if ($p{hint} // '') =~ /\.hls\.(?:\w\d\.)?(\d+)\.(\d+)\./;

    return \%p;
}

sub playlist {
    my ($path, %o) = @_;
    return parse(get($path, %o)->{body});
}

# Waits until a stream has a playlist with so many segments.

sub hls_live {
    my ($path, $segments, $timeout) = @_;

    return wait_until(sub {
        @{playlist($path)->{segments}} >= ($segments || 1);
    }, $timeout || 30);
}

# t/tools/check-hls: '' or what it says.

sub checked {
    my ($path, @args) = @_;

    my $url = 'http://127.0.0.1:' . port(8080) . $path;

    open my $fh, '-|', 'timeout', 120, $^X,
        "$Test::Nginx::ROOT/t/tools/check-hls", @args, $url or return $!;

    my $text = do { local $/; <$fh> } // '';

    close $fh;

    Test::More::note($text);

    return $? ? $text || 'check-hls failed' : '';
}

# What ffprobe counts in a playlist or file: { video, audio, errors }.

sub decoded_frames {
    my ($url, @args) = @_;

    my %got = (errors => '');

    open my $fh, '-|', 'timeout', 60, 'sh', '-c', 'exec "$@" 2>&1', 'sh',
        qw/ ffprobe -v error -count_frames -show_entries /,
        'stream=codec_type,codec_name,nb_read_frames', qw/ -of csv=p=0 /,
        @args, $url
        or return {};

    while (my $line = <$fh>) {
        if ($line =~ /^(\w+),(video|audio),(\d+)/) {
            $got{$2} = $3 unless $got{$2};
            $got{"$2_codec"} = $1;
        } else {
            $got{errors} .= $line unless $line =~ /^\s*$/;
        }
    }

    close $fh;

    return \%got;
}

1;
