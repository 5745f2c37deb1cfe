package Test::Nginx::DVR;

# Copyright (C) the nginx media suite authors

# Recordings for tests: publishes frames that are known and looks for them in
# the files.
#
#     my $m = media($t, 'clip', seconds => 10);
#     my $p = sender($t, $m, names => [ 'rec/a', 'rec/b' ], watch => 1);
#     ...
#     my $sent = $p->end();       { 'rec/a' => [ [ from, to ] ], late => ms }
#
#     my $r = recording($m, $file);
#     is($r->{fault}, '', 'frames of the clip, in order and in time');
#     is(lacks($m, [ 0, $n ], $r), '', 'all of them');
#
# Every frame of a clip is another one.  What stands in a file is the same
# frames in another dress: FLV is read here, so is MPEG-TS (start codes,
# delimiters, parameter sets and ADTS headers are what the format needs), MP4
# by ffprobe.  Positions are those in @{$m->{frames}}, of both tracks.
#
# A disk that fails: slow_disk($t, $dir) gives the lines of configuration's
# environment, see t/tools/slow-disk.

use warnings;
use strict;

use base qw/ Exporter /;

our @EXPORT = qw/ media sender recording recordings lacks plays
    slow_disk /;

use Digest::MD5 qw/ md5_hex /;
use File::Find qw/ find /;
use IO::Select;
use JSON::PP;
use List::Util qw/ max min /;
use Socket qw/ CRLF /;
use Time::HiRes qw/ time sleep /;

use Test::Nginx;
use Test::Nginx::FLV;
use Test::Nginx::MP4 ();
use Test::RTMP;

my $senders = 0;

###############################################################################

# A clip of H.264 and AAC, or what codecs say (Enhanced FLV where it must be).
# seconds, fps, gop, size, rate; video => 0, audio => 0; codecs => [...].
#
# { file, config => { 9 => body, 8 => body }, frames => [ { type, ms, cts, key,
# body, digest, units } ], of => { digest => position } }

sub media {
    my ($t, $name, %o) = @_;

    my $seconds = $o{seconds} || 10;
    my $fps = $o{fps} || 25;
    my $gop = $o{gop} || $fps;
    my $size = $o{size} || '160x96';
    my $file = $t->testdir() . "/$name.src.flv";
    my $source = $o{enhanced} ? $t->testdir() . "/$name.src.mp4" : $file;

    my @codecs = $o{codecs} ? @{$o{codecs}} : (qw/ -c:v libx264 -preset
        ultrafast -tune zerolatency -b:v /, $o{rate} || '200k', '-bf', 0,
        qw/ -c:a aac -b:a 48k /);

    my ($rc, $out) = Test::Nginx::MP4::run(
        qw/ ffmpeg -hide_banner -nostdin -v error -y -threads 1 /,
        ($o{video} // 1) ? ('-f', 'lavfi', '-i',
            "testsrc2=s=$size:r=$fps,noise=alls=12:allf=t:all_seed=7") : (),
        ($o{audio} // 1) ? qw/ -f lavfi -i anoisesrc=a=0.2:r=44100:seed=7 /
            : (),
        '-t', $seconds, '-pix_fmt', 'yuv420p', @codecs, '-g', $gop,
        '-keyint_min', $gop, '-sc_threshold', 0,
        $o{enhanced} ? qw/ -use_editlist 0 -movflags +negative_cts_offsets /
            : (), $source);

    die "can't make a clip: $out\n" if $rc;

    Test::Nginx::MP4::to_flv($source, $file) if $o{enhanced};

    open my $fh, '<:raw', $file or die "$file: $!\n";
    my ($tags, $fault) = flv_tags(do { local $/; <$fh> });
    die "can't read the clip: $fault\n" if $fault;

    my $m = { file => $file, frames => [], of => {}, config => {},
        gop => $gop, fps => $fps };

    for my $tag (@$tags) {
        my $f = frame($tag);

        next unless $f;

        if ($f->{config}) {
            $m->{config}{$tag->{type}} = $tag->{body};
            $m->{nal} = $f->{nal} if $f->{nal};
            next;
        }

        die "frames of the clip are alike\n" if $m->{of}{$f->{digest}};

        $m->{of}{$f->{digest}} = @{$m->{frames}};
        push @{$m->{frames}}, $f;
    }

    if ($m->{nal}) {
        for my $f (grep { $_->{type} == 9 } @{$m->{frames}}) {
            $f->{units} = md5_hex(units($m->{nal}, lengths($f->{payload})));
            $m->{by_units}{$f->{units}} = $m->{of}{$f->{digest}};
        }
    }

    delete $_->{payload} for @{$m->{frames}};

    return $m;
}

# A tag of FLV: its time, what it is and the digest of what is in it, nothing
# where it is neither picture nor sound.

sub frame {
    my ($tag) = @_;

    my ($type, $body) = ($tag->{type}, $tag->{body});
    my ($b0, $b1) = unpack 'CC', "$body\0\0";
    my $f = { type => $type, ms => $tag->{ms}, body => $body, cts => 0,
        key => $type == 8 ? 1 : ($b0 >> 4 & 7) == 1 ? 1 : 0 };
    my $skip;

    if ($type == 9 && $b0 & 0x80 || $type == 8 && $b0 >> 4 == 9) {
        my ($kind, $codec) = ($b0 & 15, substr $body, 1, 4);

        return if $kind > 1 && $kind != 3;

        $f->{config} = $kind == 0;
        $f->{nal} = { avc1 => 'avc', hvc1 => 'hevc' }->{$codec};
        $skip = 5;

        if ($kind == 1 && $codec =~ /^(avc1|hvc1)$/) {
            $f->{cts} = signed24(substr $body, 5, 3);
            $skip = 8;
        }

    } elsif ($type == 9) {
        return if $b1 == 2;
        $f->{config} = $b1 == 0;
        $f->{cts} = signed24(substr $body, 2, 3);
        $f->{nal} = 'avc';
        $skip = 5;

    } elsif ($type == 8) {
        my $aac = $b0 >> 4 == 10;

        $f->{config} = $aac && $b1 == 0;
        $skip = $aac ? 2 : 1;

    } else {
        return;
    }

    $f->{payload} = substr $body, $skip;
    $f->{digest} = md5_hex($f->{payload});

    return $f;
}

sub signed24 {
    my $n = unpack 'N', "\0$_[0]";
    return $n & 0x800000 ? $n - 0x1000000 : $n;
}

# NAL units, by lengths of four bytes and by start codes.

sub lengths {
    my ($data) = @_;

    my ($pos, @units) = (0);

    while ($pos + 4 <= length $data) {
        my $n = unpack 'N', substr $data, $pos, 4;
        push @units, substr $data, $pos + 4, $n;
        $pos += 4 + $n;
    }

    return @units;
}

sub startcodes {
    my ($data) = @_;

    my @units = split /\x00\x00\x00?\x01/, $data, -1;
    shift @units;

    s/\0+\z// for @units;

    return @units;
}

# Those that are the picture, without what each format says in its own way.

sub units {
    my ($nal, @units) = @_;

    return join '|', map { s/\0+\z//r } grep {
        my $type = length $_ ? ord($_) : 0;

        $nal eq 'avc' ? ($type & 31) !~ /^(7|8|9|12)$/
            : ($type >> 1 & 63) !~ /^(32|33|34|35|38)$/;
    } @units;
}

###############################################################################

# Publishes the clip, in a process of its own, under all of these names
# (APP/STREAM) at once.  Options:
#
#     speed => 1          times as fast as it is
#     from, to            positions; 0 and the end
#     watch => 0          players of HTTP-FLV of so many of the names
#     again => 0          who is cut comes back and goes on with the clip
#     pause => { POSITION => seconds }   goes away there for so long
#     host                of tcUrl
#     control             one of the names: how late its frames are is told as
#                         {control}, what the machine itself does

sub sender {
    my ($t, $m, %o) = @_;

    my $self = bless { t => $t, m => $m, %o, file => $t->testdir()
        . '/sender-' . ++$senders }, __PACKAGE__;

    $self->{pid} = $t->run_daemon(sub { $self->run() });

    wait_until(sub { -e "$self->{file}.on"
        || !$t->daemon_alive($self->{pid}) }, 20);

    return $self;
}

# Waits until so many frames are sent, or that many seconds of the clip.

sub sent {
    my ($self) = @_;

    open my $fh, '<', "$self->{file}.at" or return 0;

    return scalar(<$fh>) // 0;
}

sub wait_sent {
    my ($self, $ms, $timeout) = @_;

    return wait_until(sub { $self->sent() >= $ms }, $timeout || 30);
}

# Ends it where it stands, or lets it come to the end of the clip; gives
# { NAME => [ [ from, to ], ... ], late => ms, gone => players that were
# closed, said => what went wrong }

sub end {
    my ($self, %o) = @_;

    my $file = "$self->{file}.json";

    unless ($o{whole}) {
        open my $fh, '>', "$self->{file}.stop" or die $!;
    }

    wait_until(sub { -e $file || !$self->{t}->daemon_alive($self->{pid}) },
        $o{timeout} || 60);

    open my $fh, '<', $file or return { said => 'it died', late => 1e9 };
    local $/;

    return decode_json(<$fh>);
}

# the process

sub run {
    my ($self) = @_;

    my $m = $self->{m};
    my $frames = $m->{frames};
    my $from = $self->{from} || 0;
    my $to = $self->{to} // $#$frames;
    my $speed = $self->{speed} || 1;
    my $start = $frames->[$from]{ms};
    my %result = (late => 0, gone => 0, said => '');
    my (%wire, @players, $noted);

    $SIG{PIPE} = 'IGNORE';

    my @clients = map { { name => $_ } } @{$self->{names}};

    $self->connect($_, $from, $start) for @clients;

    my $begin = time();
    my $pos = $from;
    my ($stall, $last) = (0, time());
    my %at;

    while ($pos <= $to && !-e "$self->{file}.stop") {
        my $ms = (time() - $begin) * 1000 * $speed + $start;

        while ($pos <= $to && $frames->[$pos]{ms} <= $ms) {
            my $f = $frames->[$pos];

            if (my $pause = ($self->{pause} || {})->{$pos}) {
                for my $c (@clients) {
                    $c->{rtmp}->close() if $c->{rtmp};
                    delete $c->{rtmp};
                    $c->{after} = time() + $pause;
                }

                delete $self->{pause}{$pos};
                $begin += $pause;
                last;
            }

            my $wire = $wire{$pos} = $self->wire($f);

            delete $wire{$pos};
            $at{$f->{digest}} = [ time(), $stall ] if $self->{watch};

            for my $c (@clients) {

                if (!$c->{rtmp}) {
                    next if time() < ($c->{after} || 0)
                        || !$f->{key} || $f->{type} == 8 && $m->{config}{9};
                    $self->connect($c, $pos, $f->{ms}) or next;
                }

                next if $c->{key} && $f->{type} == 9 && !$f->{key};

                $c->{key} = 0 if $f->{type} == 9;

                if ($c->{rtmp}->write_raw($wire)) {
                    $c->{spans}[-1][1] = $pos;
                    next;
                }

                $result{cut}{$c->{name}}++;
                $c->{rtmp}->close();
                delete $c->{rtmp};
                $c->{after} = $self->{again} ? time() + 0.2 : 1e12;
            }

            $pos++;
            $ms = (time() - $begin) * 1000 * $speed + $start
                if time() - $last > 0.05;
        }

        if (!@players && $self->{watch} && $pos > $from + 20) {
            @players = map { Test::Nginx::DVR::Player->new($_) }
                @{$self->{names}}[0 .. $self->{watch} - 1];
        }

        if (!$noted || time() - $noted > 0.1) {
            $noted = time();
            $self->note($pos > 0 ? $frames->[$pos - 1]{ms} : 0);

            for my $c (grep { $_->{rtmp} } @clients) {
                $c->{rtmp}->fill(time()) if IO::Select->new(
                    $c->{rtmp}{socket})->can_read(0);
                $c->{rtmp}{in} = '';
            }
        }

        my @open = map { $_->{socket} } grep { !$_->{closed} } @players;
        my @ready = @open ? IO::Select->new(@open)->can_read(0.005) : ();

        sleep(0.005) unless @open;

        my $now = time();

        # what this process itself does not run for is nobody's delay

        $stall += $now - $last - 0.01 if $now - $last > 0.01;
        $last = $now;

        for my $player (grep { my $p = $_; grep { $_ == $p->{socket} } @ready }
            @players)
        {
            for my $digest ($player->take()) {
                my $was = $at{$digest} or next;
                my $late = 1000 * ($now - $was->[0] - $stall + $was->[1]);

                # what was sent before it came is not late

                next unless $player->{n}++ && $was->[0] > $player->{begun};

                my $of = $player->{name} eq ($self->{control} // '')
                    ? 'control' : 'late';

                $result{$of} = $late if $late > ($result{$of} || 0);
            }
        }
    }

    $self->note($frames->[$pos - 1]{ms}) if $pos > 0;
    $result{gone} = grep { $_->{closed} } @players;
    $result{played} = min(map { $_->{n} } @players) if @players;
    $result{said} = join '; ', map { $_->{said} // () } @clients;

    for my $c (@clients) {
        $result{$c->{name}} = $c->{spans} || [];

        if ($c->{rtmp}) {
            $c->{rtmp}->command('deleteStream', 0, undef,
                Test::RTMP::num($c->{rtmp}{msid}));
            $c->{rtmp}->close();
        }
    }

    open my $fh, '>', "$self->{file}.tmp" or die;
    print $fh encode_json(\%result);
    close $fh;
    rename "$self->{file}.tmp", "$self->{file}.json";
}

sub note {
    my ($self, $ms) = @_;

    open my $fh, '>', "$self->{file}.at.tmp" or return;
    print $fh int $ms;
    close $fh;
    rename "$self->{file}.at.tmp", "$self->{file}.at";

    return if -e "$self->{file}.on";

    open $fh, '>', "$self->{file}.on";
}

sub connect {
    my ($self, $c, $pos, $ms) = @_;

    my $config = $self->{m}{config};
    my ($app, $name) = $c->{name} =~ m!^([^/]*)/(.*)$!s;

    my $ok = eval {
        my $r = Test::RTMP->new(port(1935), chunk => 65536, timeout => 5,
            nodelay => 1);

        $r->connect($app, $self->{host} ? (host => $self->{host}) : ());
        $r->publish($name) or die "no publish of $c->{name}\n";
        $r->data(0, '@setDataFrame', 'onMetaData', { encoder => 'test' });
        $r->video($ms, $config->{9}) if $config->{9};
        $r->audio($ms, $config->{8}) if $config->{8};
        $c->{rtmp} = $r;
        1;
    };

    if (!$ok) {
        $c->{said} = $@ =~ s/\s+\z//r;
        $c->{after} = $self->{again} ? time() + 0.2 : 1e12;
        return 0;
    }

    delete $c->{said};
    $c->{key} = $config->{9} ? 1 : 0;
    push @{$c->{spans}}, [ $pos, $pos - 1 ];

    return 1;
}

# The message of a frame, the same for all who publish.

sub wire {
    my ($self, $f) = @_;

    my $r = $self->{shape} ||= bless { out_chunk => 65536, msid => 1 },
        'Test::RTMP';

    return $r->message($f->{type}, 1, $f->{ms}, $f->{body},
        csid => $f->{type} == 9 ? 6 : 4);
}

###############################################################################

# What a file holds:
#
#     fault      '', or what is wrong: a frame that is not of the clip, that
#                is there twice, out of order, at another time; no keyframe at
#                its beginning; nothing in it
#     first, last    positions in the clip, { 9 => n, 8 => n }
#     frames     [ position, ... ]
#     duration   ms, by its frames
#     jumps      [ [ position before, position after ], ... ] of each track
#
# Options: jumps => 1: frames may be missing, as long as pictures go on at a
# keyframe; rebased => 1: time may go on differently behind a jump, or later.

sub recording {
    my ($m, $file, %o) = @_;

    my $r = { file => $file, fault => '', frames => [], first => {},
        last => {}, jumps => [], duration => 0 };
    my @faults;

    my $packets = $file =~ /\.flv$/ ? read_flv($file)
        : $file =~ /\.ts$/ ? read_ts($file, $m) : read_mp4($file);

    push @faults, $packets->[0] if @$packets && !ref $packets->[0];
    @$packets = grep { ref } @$packets;
    push @faults, 'no frames' unless @$packets;

    my ($off, %off, $video, %seen);
    my ($begin, $end);

    for my $p (@$packets) {
        my $pos = $p->{units} ? $m->{by_units}{$p->{digest}}
            : $m->{of}{$p->{digest}};
        my $what = "frame at $p->{dts} ms";

        if (!defined $pos) {
            push @faults, "$what of type $p->{type} is not of the clip";
            next;
        }

        my $f = $m->{frames}[$pos];
        my $type = $f->{type};
        my $last = $r->{last}{$type};

        push @faults, "$what is twice there: $pos" if $seen{$pos}++;
        push @faults, "$what is the first picture and no keyframe"
            if $type == 9 && !defined $last && !$f->{key};

        if (defined $last) {
            my $next = $last + 1;

            $next++ while $next < $pos && $m->{frames}[$next]{type} != $type;

            if ($pos != $next) {
                push @{$r->{jumps}}, [ $last, $pos ];
                push @faults, "$what is $pos behind $last" unless $o{jumps};
                push @faults, "$what goes on at no keyframe"
                    if $type == 9 && !$f->{key};
                push @faults, "$what is $pos behind $last, out of order"
                    if $pos < $last;
                undef $off if $o{rebased};
                %off = () if $o{rebased};
            }
        }

        $off //= $p->{dts} - $f->{ms};

        my $error = $p->{dts} - $f->{ms} - $off;
        my $tolerance = $o{tolerance} // 1;

        # who was away comes back later, at his next frame

        if ($o{rebased} && $error > 100) {
            $off += $error;
            $error = 0;
        }

        push @faults, sprintf '%s of type %d is %.2f ms off', $what, $type,
            $error if abs($error) > $tolerance + 0.02;
        push @faults, sprintf '%s has a composition time of %.2f not %d',
            $what, $p->{pts} - $p->{dts}, $f->{cts}
            if $type == 9 && abs($p->{pts} - $p->{dts} - $f->{cts})
                > $tolerance + 0.02;

        $r->{first}{$type} //= $pos;
        $r->{last}{$type} = $pos;
        push @{$r->{frames}}, $pos;

        $begin = $p->{dts} if !defined $begin || $begin > $p->{dts};
        $end = $p->{dts} if !defined $end || $end < $p->{dts};
    }

    $r->{duration} = $end - $begin if defined $end;
    $r->{begin} = $begin;

    push @faults, "begins at $begin ms" if $file !~ /\.ts$/ && defined $begin
        && abs($begin) > 0.5 && !$o{late};

    my $more = @faults > 3 ? ', and ' . (@faults - 3) . ' more' : '';

    $r->{fault} = join('; ', @faults[0 .. min($#faults, 2)]) . $more;

    return $r;
}

# Which frames of a span of the clip none of these recordings has; '' or how
# many and where.  What comes before the first keyframe is no loss.  Frames that
# two recordings have are told too.

sub lacks {
    my ($m, $span, @recordings) = @_;

    my (%has, @lacks, @twice);
    my ($from, $to) = @$span;

    if ($m->{config}{9}) {
        $from++ while $from < $to && !($m->{frames}[$from]{type} == 9
            && $m->{frames}[$from]{key});
    }

    $has{$_}++ for map { @{$_->{frames}} } @recordings;

    @twice = sort { $a <=> $b } grep { $has{$_} > 1 } keys %has;

    for my $pos ($from .. $to) {
        push @lacks, $pos unless $has{$pos};
    }

    my $s = '';

    $s .= @lacks . ' frames lack, from ' . "$lacks[0] to $lacks[-1]"
        if @lacks;
    $s .= ($s ? ', ' : '') . @twice . " frames twice, from $twice[0]"
        if @twice;

    return $s;
}

# All files below a directory, but those of the server's own, in the order of
# their names.

sub recordings {
    my ($dir, $match) = @_;

    my @files;

    return () unless -d $dir;

    find({ no_chdir => 1, wanted => sub {
        if (m!/\.dvr$!) {
            $File::Find::prune = 1;
            return;
        }

        push @files, $_ if !-d $_ && (!defined $match || $_ =~ $match);
    } }, $dir);

    return sort @files;
}

# '' where ffmpeg decodes all of it without a complaint.

sub plays {
    my ($file) = @_;

    my ($rc, $out) = Test::Nginx::MP4::run(qw/ ffmpeg -hide_banner -nostdin
        -v error -threads 1 -i /, $file, qw/ -map 0 -f null - /);

    return $rc ? "status $rc: $out" : $out;
}

###############################################################################

# Readers: packets { type, dts, pts, digest }, ms; a fault comes first.

sub slurp {
    my ($file) = @_;

    open my $fh, '<:raw', $file or return '';
    local $/;

    return scalar(<$fh>) // '';
}

sub read_flv {
    my ($file) = @_;

    my ($tags, $fault) = flv_tags(slurp($file));
    my @packets;

    push @packets, $fault if $fault;

    for my $tag (@$tags) {
        my $f = frame($tag);

        next if !$f || $f->{config};

        push @packets, { type => $f->{type}, dts => $f->{ms},
            pts => $f->{ms} + $f->{cts}, digest => $f->{digest} };
    }

    return \@packets;
}

sub read_mp4 {
    my ($file) = @_;

    my ($rc, $out) = Test::Nginx::MP4::run(qw/ ffprobe -v error
        -of compact=p=0 -show_data_hash md5
        -show_entries /, 'packet=codec_type,dts_time,pts_time,data_hash',
        $file);
    my @packets;

    push @packets, "ffprobe ends with $rc: " . substr $out, 0, 200 if $rc;

    for my $line (split /\n/, $out) {
        my %p = map { split /=/, $_, 2 } grep { /=/ } split /\|/, $line;

        if (!$p{data_hash}) {
            push @packets, "ffprobe: $line" if $line =~ /\S/ && !@packets;
            next;
        }

        push @packets, { type => $p{codec_type} eq 'video' ? 9 : 8,
            dts => 1000 * $p{dts_time}, pts => 1000 * $p{pts_time},
            digest => lc $p{data_hash} =~ s/^MD5://ir };
    }

    # in the order of time, not of the file's tracks

    my @faults = grep { !ref } @packets;
    my $n = 0;

    @packets = map { $_->[0] } sort { $a->[0]{dts} <=> $b->[0]{dts}
        || $a->[1] <=> $b->[1] } map { [ $_, $n++ ] } grep { ref } @packets;

    return [ @faults, @packets ];
}

sub read_ts {
    my ($file, $m) = @_;

    my $data = slurp($file);
    my (%pes, %type, $pmt, @packets, %count);
    my $fault = '';

    my $flush = sub {
        my ($pid) = @_;
        push @packets, pes($type{$pid}, delete $pes{$pid}, $m)
            if defined $pes{$pid} && length $pes{$pid};
    };

    for (my $pos = 0; $pos + 188 <= length $data; $pos += 188) {
        my ($sync, $pid, $flags) = unpack 'CnC', substr $data, $pos, 4;
        my $start = $pid & 0x4000;

        $pid &= 0x1fff;

        if ($sync != 0x47) {
            $fault ||= "no sync byte at $pos";
            last;
        }

        next unless $flags & 0x10;

        my $at = 4;

        $at += 1 + unpack 'C', substr $data, $pos + 4, 1 if $flags & 0x20;

        next if $at >= 188;

        my $payload = substr $data, $pos + $at, 188 - $at;

        if ($pid == 0 || defined $pmt && $pid == $pmt) {
            my $table = substr $payload, 1 + ord $payload;

            if ($pid == 0) {
                $pmt = unpack('n', substr $table, 10, 2) & 0x1fff;
                next;
            }

            my $end = 3 + (unpack('n', substr $table, 1, 2) & 0xfff) - 4;
            my $p = 12 + (unpack('n', substr $table, 10, 2) & 0xfff);

            while ($p + 5 <= $end) {
                my ($t, $id, $n) = unpack 'Cnn', substr $table, $p, 5;
                $type{$id & 0x1fff} = $t;
                $p += 5 + ($n & 0xfff);
            }

            next;
        }

        next unless $type{$pid};

        if ($start) {
            $flush->($pid);
            $pes{$pid} = $payload;

        } elsif (defined $pes{$pid}) {
            $pes{$pid} .= $payload;
        }
    }

    $fault ||= (length($data) % 188) . ' bytes behind the last packet'
        if length($data) % 188;

    $flush->($_) for sort keys %pes;

    my $n = 0;

    @packets = map { $_->[0] } sort { $a->[0]{dts} <=> $b->[0]{dts}
        || $a->[1] <=> $b->[1] } map { [ $_, $n++ ] } @packets;

    return [ $fault || (), @packets ];
}

# What is in a PES of that stream type.

sub pes {
    my ($type, $pes, $m) = @_;

    return () if length $pes < 9 || substr($pes, 0, 3) ne "\0\0\1";

    my ($flags, $n) = unpack 'CC', substr $pes, 7, 2;
    my $pts = $flags & 0x80 ? stamp(substr $pes, 9, 5) : 0;
    my $dts = $flags & 0x40 ? stamp(substr $pes, 14, 5) : $pts;
    my $data = substr $pes, 9 + $n;

    if ($type == 0x1b || $type == 0x24) {
        return { type => 9, dts => $dts, pts => $pts, units => 1,
            digest => md5_hex(units($m->{nal}, startcodes($data))) };
    }

    return { type => 8, dts => $dts, pts => $pts, digest => md5_hex($data) }
        if $type != 0x0f;

    my ($pos, $i, @packets) = (0, 0);
    my @rates = (96000, 88200, 64000, 48000, 44100, 32000, 24000, 22050,
        16000, 12000, 11025, 8000, 7350);

    while ($pos + 7 <= length $data) {
        my ($sync, $b2, $b3, $b4, $b5) = unpack 'nC4', substr $data, $pos, 6;
        my $size = ($b3 & 3) << 11 | $b4 << 3 | $b5 >> 5;
        my $head = $sync & 1 ? 7 : 9;

        return ({ type => 8, dts => $dts, pts => $pts, digest => 'no ADTS' })
            if ($sync & 0xfff6) != 0xfff0 || $size < $head;

        my $ms = 1000 * 1024 / ($rates[$b2 >> 2 & 15] || 44100) * $i++;

        push @packets, { type => 8, dts => $dts + $ms, pts => $pts + $ms,
            digest => md5_hex(substr $data, $pos + $head, $size - $head) };
        $pos += $size;
    }

    return @packets;
}

sub stamp {
    my ($a, $b, $c) = unpack 'Cnn', $_[0];
    return (($a >> 1 & 7) << 30 | ($b >> 1) << 15 | $c >> 1) / 90;
}

###############################################################################

# The disk that fails.  Gives undef where it can't be: no compiler, or a
# sanitizer, which must be the first library.

sub slow_disk {
    my ($t, $dir) = @_;

    return undef if $t->has_module('sanitizer');

    my $so = $t->testdir() . '/slow-disk.so';
    my ($rc, $out) = Test::Nginx::MP4::run(split(' ', $ENV{CC} || 'cc'),
        qw/ -shared -fPIC -O1 -W -Wall -Wextra -Werror -o /, $so,
        "$Test::Nginx::ROOT/t/tools/slow-disk/slow-disk.c", '-ldl');

    if ($rc) {
        Test::More::diag("slow-disk: $out");
        return undef;
    }

    my $self = bless { t => $t, dir => $dir, log => $t->testdir()
        . '/slow-disk.log', control => $t->testdir() . '/slow-disk.txt',
        so => $so }, 'Test::Nginx::DVR::Disk';

    $self->is();
    $t->write_file('slow-disk.log', '');
    chmod 0666, $self->{log};

    return $self;
}

package Test::Nginx::DVR::Disk;

use warnings;
use strict;

# Starts nginx on it.

sub run {
    my ($self) = @_;

    local $ENV{LD_PRELOAD} = $self->{so};
    local $ENV{SLOW_DISK_DIR} = $self->{dir};
    local $ENV{SLOW_DISK_CONTROL} = $self->{control};
    local $ENV{SLOW_DISK_LOG} = $self->{log};

    return $self->{t}->run();
}

# What it does from now on, lines: 'write 300 0'; without any it is well.

sub is {
    my ($self, @lines) = @_;

    open my $fh, '>', "$self->{control}.new" or die "$!\n";
    print $fh map { "$_\n" } @lines;
    close $fh;
    chmod 0644, "$self->{control}.new";
    rename "$self->{control}.new", $self->{control};

    return $self;
}

# Calls that were made: { pid, tid, ms, call, path }

sub calls {
    my ($self) = @_;

    open my $fh, '<', $self->{log} or return ();

    return map { /^(\d+) (\d+) (\d+) (\S+) (.*)$/
        ? { pid => $1, tid => $2, ms => $3, call => $4, path => $5 } : () }
        <$fh>;
}

# Those by the main threads of these processes.

sub blocking {
    my ($self, @pids) = @_;

    my %pids = map { $_ => 1 } @pids;

    return map { "$_->{call} $_->{path}" }
        grep { $_->{pid} == $_->{tid} && $pids{$_->{pid}} } $self->calls();
}

package Test::Nginx::DVR::Player;

# Plays a stream by HTTP-FLV: digests of the frames that come.

use warnings;
use strict;

use IO::Socket::INET;
use Socket qw/ CRLF /;

use Test::Nginx;

sub new {
    my ($class, $name) = @_;

    my $s = IO::Socket::INET->new(Proto => 'tcp',
        PeerAddr => '127.0.0.1:' . port(8080)) or die "can't connect: $!\n";

    $s->autoflush(1);
    print $s "GET /$name.flv HTTP/1.0" . CRLF . 'Host: localhost' . CRLF
        . CRLF;

    return bless { socket => $s, in => '', head => 1, n => 0, name => $name,
        begun => Time::HiRes::time() }, $class;
}

sub take {
    my ($self) = @_;

    my $n = sysread $self->{socket}, $self->{in}, 262144,
        length $self->{in};

    if (!$n) {
        $self->{closed} = 1;
        return ();
    }

    if ($self->{head}) {
        return () unless $self->{in} =~ s/^HTTP\/\S+ 200.*?\r\n\r\n.{13}//s;
        $self->{head} = 0;
    }

    my ($pos, @digests) = (0);

    while ($pos + 15 <= length $self->{in}) {
        my ($type, $b, $ts, $ext) = unpack 'CB24B24C',
            substr $self->{in}, $pos, 11;
        my $size = oct "0b$b";

        last if $pos + 15 + $size > length $self->{in};

        my $f = Test::Nginx::DVR::frame({ type => $type, ms => 0,
            body => substr $self->{in}, $pos + 11, $size });

        push @digests, $f->{digest} if $f && !$f->{config};
        $pos += 15 + $size;
    }

    substr $self->{in}, 0, $pos, '';

    return @digests;
}

1;
