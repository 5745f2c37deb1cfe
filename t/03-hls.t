#!/usr/bin/perl

# Copyright (C) the nginx media suite authors

# The checker of HLS finds what it is there for: versions of a playlist
# without faults made here, then the same with one fault each; and a server
# with low latency of a few lines, and with faults of its own.

use warnings;
use strict;

use Test::More;

use Cwd qw/ abs_path /;
use File::Basename qw/ dirname /;
use File::Temp qw/ tempdir /;
use IO::Select;
use IO::Socket::INET;
use POSIX qw/ _exit strftime /;
use Time::HiRes qw/ time sleep /;

my $tool = abs_path(dirname(__FILE__)) . '/tools/check-hls';
my $dir = tempdir(CLEANUP => 1);

sub run {
    my (@command) = @_;

    open my $pipe, '-|', 'timeout', '-k', 5, 60, 'sh', '-c',
        'exec "$@" 2>&1', 'sh', $^X, $tool, @command or die;
    my $out = do { local $/; <$pipe> } // '';
    close $pipe;

    return ($? >> 8, $out);
}

sub check {
    my (@texts) = @_;
    my @files = map { "$dir/$_.m3u8" } 1 .. @texts;

    for my $i (0 .. $#texts) {
        open my $fh, '>', $files[$i] or die;
        print $fh $texts[$i];
        close $fh;
    }

    return run('--files', @files);
}

# A playlist when $n parts of 500 ms are there: segments of four, a window of
# eight, the one before segment 106 ends early and a discontinuity follows.

sub stamp {
    my ($t) = @_;
    return strftime('%Y-%m-%dT%H:%M:%S', gmtime int $t)
        . sprintf '.%03dZ', $t * 1000 % 1000;
}

sub playlist {
    my ($n, %o) = @_;
    my $last = int($n / 4);
    my $first = $last > 8 ? $last - 8 : 0;
    my $skip = $o{skip} && $last - $first > 6 ? $last - $first - 6 : 0;

    my $text = "#EXTM3U\n#EXT-X-VERSION:9\n#EXT-X-TARGETDURATION:2\n"
        . '#EXT-X-SERVER-CONTROL:CAN-BLOCK-RELOAD=YES,CAN-SKIP-UNTIL=12.0,'
        . "PART-HOLD-BACK=1.5\n#EXT-X-PART-INF:PART-TARGET=0.5\n"
        . '#EXT-X-MEDIA-SEQUENCE:' . ($first + 100) . "\n"
        . '#EXT-X-DISCONTINUITY-SEQUENCE:' . ($first > 6 ? 1 : 0) . "\n";

    $text .= "#EXT-X-SKIP:SKIPPED-SEGMENTS=$skip\n" if $skip;

    for my $i ($first + $skip .. $last) {
        my $parts = $i == $last ? $n % 4 : 4;

        last unless $parts;

        my $map = $i < 6 ? 'init.mp4' : 'init2.mp4';

        $text .= "#EXT-X-DISCONTINUITY\n" if $i == 6;
        $text .= "#EXT-X-MAP:URI=\"$map\"\n"
            if $i == 6 || $i == $first && !$skip;
        $text .= '#EXT-X-PROGRAM-DATE-TIME:'
            . stamp(($o{base} // 1795181628) + 2 * $i) . "\n";

        if ($i > $last - 3) {
            $text .= "#EXT-X-PART:DURATION=0.5,URI=\"$i.$_.m4s\""
                . ($_ ? '' : ',INDEPENDENT=YES') . "\n" for 0 .. $parts - 1;
        }

        $text .= "#EXTINF:2.0,\n$i.m4s\n" if $parts == 4;
    }

    if ($o{ended}) {
        $text =~ s/(#EXT-X-PART[^\n]*\n)\z/$1#EXTINF:1.0,\n$last.m4s\n/;
        return "$text#EXT-X-ENDLIST\n";
    }

    return $text . sprintf "#EXT-X-PRELOAD-HINT:TYPE=PART,URI=\"%d.%d.m4s\"\n",
        $last, $n % 4;
}

sub changed {
    my ($text, $what, $with) = @_;

    $text =~ s/$what/$with/ or die "no $what";
    return $text;
}

###############################################################################

my ($status, $out) = check(map { playlist($_, ended => $_ == 70,
    skip => $_ % 3 == 0 && $_ > 31 && $_ < 70) } 20 .. 70);

is($status, 0, 'versions without faults') or diag($out);
like($out, qr/^ok: 51 playlists, 13 deltas, 18 segments, 9 removed/,
    'their number');

my $p = playlist(50);

my @faults = (
    [ 'no EXTM3U', qr/EXTM3U/, changed($p, '#EXTM3U\n', '') ],
    [ 'no TARGETDURATION', qr/no TARGETDURATION/,
        changed($p, '#EXT-X-TARGETDURATION:2\n', '') ],
    [ 'a tag twice', qr/TARGETDURATION twice/,
        changed($p, '(#EXT-X-TARGETDURATION:2\n)', "#EXT-X-TARGETDURATION:2\n"
            x 2) ],
    [ 'a tag of the other kind', qr/EXT-X-MEDIA in this kind/,
        changed($p, '#EXT-X-MEDIA-SEQ', "#EXT-X-MEDIA:TYPE=AUDIO\n"
            . '#EXT-X-MEDIA-SEQ') ],
    [ 'a version', qr/VERSION:5 with tags of 6/,
        changed($p, 'VERSION:9', 'VERSION:5') ],
    [ 'a long segment', qr/segment 105: 2.6 s, target 2/,
        changed($p, 'EXTINF:2.0,\n5.m4s', "EXTINF:2.6,\n5.m4s") ],
    [ 'a part too long', qr/part 111\.2: 0\.51 s, PART-TARGET=0\.5/,
        changed($p, '0.5,URI="11.2', '0.51,URI="11.2') ],
    [ 'a part too short', qr/part 111\.2: 0\.42 s, less than 85/,
        changed($p, '0.5,URI="11.2', '0.42,URI="11.2') ],
    [ 'a sum', qr/segment 111: 2\.0 s, its parts 1\.98 s/,
        changed($p, '0.5,URI="11.3', '0.48,URI="11.3') ],
    [ 'PROGRAM-DATE-TIME', qr/segment 105: PROGRAM-DATE-TIME is 7\.0 ms off/,
        changed($p, ':58\.000Z', ':58.007Z') ],
    [ 'an attribute list', qr/SERVER-CONTROL: CAN-BLOCK-RELOAD=YES;/,
        changed($p, 'CAN-BLOCK-RELOAD=YES,', 'CAN-BLOCK-RELOAD=YES;') ],
    [ 'a hold back', qr/PART-HOLD-BACK=0\.9/,
        changed($p, 'PART-HOLD-BACK=1.5', 'PART-HOLD-BACK=0.9') ],
    [ 'no hold back', qr/without PART-HOLD-BACK/,
        changed($p, ',PART-HOLD-BACK=1.5', '') ],
    [ 'a skip boundary', qr/CAN-SKIP-UNTIL=11/,
        changed($p, 'CAN-SKIP-UNTIL=12.0', 'CAN-SKIP-UNTIL=11.0') ],
    [ 'a URI without EXTINF', qr/no EXTINF/,
        changed($p, '#EXTINF:2.0,\n5.m4s', '5.m4s') ],
    [ 'an independent one', qr/segment 111: INDEPENDENT/,
        changed(changed($p, '#EXT-X-PART-INF',
            "#EXT-X-INDEPENDENT-SEGMENTS\n#EXT-X-PART-INF"),
            '"11.0.m4s",INDEPENDENT=YES', '"11.0.m4s"') ],
    [ 'a hint at the end', qr/PRELOAD-HINT at the end/, "$p#EXT-X-ENDLIST\n" ],
    [ 'no line end', qr/no line end/, substr $p, 0, -1 ],
    [ 'blanks', qr/blanks/, changed($p, '5\.m4s\n', "5.m4s \n") ],

    [ 'a target that changes', qr/TARGETDURATION 3, was 2/, $p,
        changed(playlist(51), 'DURATION:2', 'DURATION:3') ],
    [ 'a sequence that goes back', qr/MEDIA-SEQUENCE 103, was 104/, $p,
        playlist(47) ],
    [ 'a new duration', qr/segment 110: 1\.9 s, was 2/, playlist(39 + 13),
        changed(playlist(53), 'EXTINF:2.0,\n10.m4s', "EXTINF:1.9,\n10.m4s") ],
    [ 'a new URI', qr/segment 110: x\.m4s, was 10\.m4s/, $p,
        changed(playlist(51), '\n10.m4s', "\nx.m4s") ],
    [ 'a part changes', qr/part 111\.1: uri is x\.m4s/, $p,
        changed(playlist(51), '11.1.m4s', 'x.m4s') ],
    [ 'another hint', qr/part 112\.2 is 12\.2\.m4s, hinted at was y/,
        changed($p, 'HINT:TYPE=PART,URI="12.2.m4s"',
            'HINT:TYPE=PART,URI="y.m4s"'), playlist(51) ],
    [ 'a discontinuity sequence', qr/DISCONTINUITY-SEQUENCE 0, was 0 and 1/,
        playlist(59), changed(playlist(60), 'DISCONTINUITY-SEQUENCE:1',
            'DISCONTINUITY-SEQUENCE:0') ],
    [ 'a discontinuity goes', qr/segment 106: discontinuity sequence 0/,
        $p, changed(playlist(51), '#EXT-X-DISCONTINUITY\n', '') ],
    [ 'segments out of the middle', qr/segment 106: 7\.m4s/, $p,
        changed(playlist(51), '#EXT-X-DISC[^S]*?\n6.m4s\n(?=#EXT-X-PRO)', '')
    ],
    [ 'a hole', qr/from 112 on were never listed/, $p,
        changed($p, 'MEDIA-SEQUENCE:104', 'MEDIA-SEQUENCE:113') ],
    [ 'too little left', qr/only 2\.000 s are left/, playlist(27),
        do { my $t = playlist(28); $t =~ s/#EXT-X-MAP.*?\n([0-4]\.m4s)\n//s;
            $t =~ s/#EXT-X-PRO[^\n]*\n#EXTINF:2.0,\n[1-4]\.m4s\n//g;
            $t =~ s/MEDIA-SEQUENCE:100/MEDIA-SEQUENCE:105/;
            $t =~ s/#EXT-X-PROG[^\n]*\n#EXT-X-PART.*?5\.m4s\n//s;
            $t =~ s/MEDIA-SEQUENCE:105/MEDIA-SEQUENCE:106/; $t } ],
    [ 'more after the end', qr/changed after ENDLIST/,
        playlist(50, ended => 1), playlist(54, ended => 1) ],
    [ 'a skip of what nobody knows', qr/SKIP of segment 104/,
        playlist(51, skip => 1) ],
    [ 'a skip too far', qr/SKIP up to 1\.500 s/, playlist(50),
        do { my $t = playlist(51, skip => 1);
            $t =~ s/SEGMENTS=2/SEGMENTS=8/;
            $t =~ s/(SEGMENTS=8\n).*\n11\.m4s\n/$1/s; $t } ],
);

for my $case (@faults) {
    my ($name, $want, @texts) = @$case;

    ($status, $out) = check(@texts);
    ok($status == 1 && $out =~ $want, $name) or diag($out);
}

my $master = "#EXTM3U\n#EXT-X-MEDIA:TYPE=AUDIO,GROUP-ID=\"a\",NAME=\"x\","
    . "DEFAULT=YES,AUTOSELECT=YES,URI=\"a.m3u8\"\n#EXT-X-STREAM-INF:"
    . "BANDWIDTH=100000,CODECS=\"avc1.64001f\",AUDIO=\"a\"\nv.m3u8\n";

is((check($master))[0], 0, 'a multivariant playlist');

for my $case (
    [ 'no bandwidth', qr/without BANDWIDTH/, 'BANDWIDTH=100000,', '' ],
    [ 'codecs', qr/CODECS=avc1/, '"avc1.64001f"', 'avc1.64001f' ],
    [ 'a group', qr/no group of AUDIO "b"/, 'AUDIO="a"', 'AUDIO="b"' ],
    [ 'no URI', qr/STREAM-INF without URI/, 'v.m3u8\n', '' ])
{
    my ($name, $want, $what, $with) = @$case;

    ($status, $out) = check(changed($master, $what, $with));
    ok($status == 1 && $out =~ $want, $name) or diag($out);
}

###############################################################################

# A server: a part each half second, of bytes that its name gives.

my $listener = IO::Socket::INET->new(Listen => 64, LocalAddr => '127.0.0.1',
    Proto => 'tcp', ReuseAddr => 1) or plan(skip_all => "listen: $!");
my $port = $listener->sockport();

sub bytes {
    my ($name) = @_;

    return join '', map { bytes("$1.$_.m4s") } 0 .. 3
        if $name =~ /^(\d+)\.m4s$/;
    return "$name " x 50;
}

sub answer {
    my ($s, $name, $query, $begin, $fault) = @_;
    my $now = int((time() - $begin) / 0.5);
    my $want = $now;

    if ($name =~ /^(\d+)\.(?:(\d)\.)?m4s$/) {
        $want = $1 * 4 + 1 + ($2 // 3);

    } elsif ($query =~ /_HLS_msn=(\d+)/) {
        my $msn = $1;
        return [ 400, '' ] if $msn > $now / 4 + 103;
        $want = ($msn - 100) * 4 + ($query =~ /_HLS_part=(\d+)/ ? $1 + 1 : 4);
        $want = $now if $fault eq 'impatient';

    } elsif ($query =~ /_HLS_part/) {
        return [ 400, '' ];
    }

    return [ 404, '' ] if $want > $now + 8;
    sleep 0.02 while int((time() - $begin) / 0.5) < $want;

    return [ 200, $fault eq 'bytes' && $name eq '12.m4s' ? 'x'
        : bytes($name) ] if $name =~ /m4s$/;
    return [ 200, 'init' ] if $name =~ /mp4$/;

    $want = int((time() - $begin) / 0.5);

    return [ 200, playlist($want, skip => $query =~ /skip/ ? 1 : 0,
        base => $begin) ];
}

sub server {
    my ($fault) = @_;
    my $pid = fork() // die;

    return $pid if $pid;

    $SIG{CHLD} = 'IGNORE';
    my $begin = time() - 20;
    my $end = time() + 50;

    while (time() < $end) {
        next unless IO::Select->new($listener)->can_read(1);

        my $s = $listener->accept() or next;

        if (fork()) {
            close $s;
            next;
        }

        my $buf = '';

        while (time() < $end && sysread $s, $buf, 4096, length $buf) {
            while ($buf =~ s/^GET \/(\S*?)(?:\?(\S*))? .*?\r\n\r\n//s) {
                my $r = answer($s, $1, $2 // '', $begin, $fault);

                syswrite $s, "HTTP/1.1 $r->[0] X\r\nContent-Type: "
                    . 'application/vnd.apple.mpegurl' . "\r\nContent-Length: "
                    . length($r->[1]) . "\r\n\r\n$r->[1]";
            }
        }

        _exit(0);
    }

    _exit(0);
}

for my $case ([ '', qr/^ok: \d+ playlists, [1-9]\d* deltas, .*[1-9] hints/m ],
    [ 'bytes', qr/segment 112: 1 bytes, its parts are/ ],
    [ 'impatient', qr/blocking reload of \d+\.\d: answered without it/ ])
{
    my ($fault, $want) = @$case;
    my $pid = server($fault);

    ($status, $out) = run('--seconds=7', '--no-decode', '--ll',
        "http://127.0.0.1:$port/live.m3u8");

    ok($status == ($fault ? 1 : 0) && $out =~ $want,
        $fault ? "a server with a fault: $fault" : 'a server without faults')
        or diag("status $status\n$out");

    kill 'TERM', $pid;
    waitpid $pid, 0;
}

is((run('http://127.0.0.1:1/x.m3u8'))[0], 2, 'a server that is not there');

###############################################################################

done_testing();
