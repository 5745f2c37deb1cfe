package Test::Nginx::Player;

# Copyright (C) the nginx media suite authors

# Players of HTTP-FLV and RTMP for tests, many of them in one loop, and the
# encoder whose stream they check:
#
#     my $clip = clip($t, 'clip', duration => 8);
#     encode($t, $clip, 'rtmp://127.0.0.1:' . port(1935) . '/live/x');
#
#     my $p = Test::Nginx::Player->flv('/live/x.flv');
#     my $r = Test::Nginx::Player->rtmp('live', 'x');
#
#     ok(play_until(sub { $p->video() > 50 }), 'it plays');
#     is($p->faults($clip), '', 'every frame of the clip, in order');
#
# The clip is made once and sent as it is, over and over; each of its frames
# is another one, so what a player got tells what it missed.  All players that
# were made are read in play_until(), until they are closed or dropped.  rcvbuf
# sets the buffer of the socket, limit how much is read in one go, at the port
# where that is not one of port().

use warnings;
use strict;

use base qw/ Exporter /;

our @EXPORT = qw/ clip encode play_until players_drop client_workers
    arena live summaries /;

use Digest::MD5 qw/ md5 /;
use IO::Select;
use IO::Socket::INET;
use Socket qw/ CRLF /;
use Time::HiRes qw/ time sleep /;

use Test::Nginx;
use Test::RTMP;

my (%players, $count);

###############################################################################

# A clip of testdir/NAME.flv: { file, 9 => { digest => number }, 8 => ... }.
# size, fps, gop, duration and rate may be told, and what makes the digest of a
# type and body.

sub clip {
    my ($t, $name, %o) = @_;

    my $fps = $o{fps} || 25;
    my $gop = $o{gop} || $fps;
    my $duration = $o{duration} || 8;
    my $file = $t->testdir() . "/$name.flv";
    my $size = $o{size} || '320x180';
    my $rate = $o{rate} || '150k';

    my $out = `ffmpeg -hide_banner -nostdin -y -v error \\
        -f lavfi -i testsrc2=size=$size:rate=$fps \\
        -f lavfi -i anoisesrc=a=0.2:r=44100 -t $duration \\
        -c:v libx264 -preset ultrafast -tune zerolatency -threads 1 \\
        -pix_fmt yuv420p -b:v $rate -minrate $rate -maxrate $rate \\
        -bufsize $rate -nal-hrd cbr -g $gop -keyint_min $gop \\
        -sc_threshold 0 -c:a aac -b:a 32k $file 2>&1`;
    die "can't make a clip: $out\n" if $?;

    open my $fh, '<:raw', $file or die "$file: $!\n";
    my $flv = do { local $/; <$fh> };

    my $clip = { file => $file, fps => $fps, gop => $gop };
    my $p = bless { flv => $flv, tags => [], digest => $o{digest} };

    substr $p->{flv}, 0, 13, '';
    $p->parse_flv();

    for my $tag (grep { $_->{frame} } @{$p->{tags}}) {
        my $of = $clip->{$tag->{type}} ||= {};
        die "frames of the clip are alike\n" if exists $of->{$tag->{digest}};
        $of->{$tag->{digest}} = keys %$of;
    }

    return $clip;
}

# Publishes it in real time, over and over; gives the pid.  times => 1 ends it.

sub encode {
    my ($t, $clip, $url, %o) = @_;

    return $t->run_daemon(qw/ ffmpeg -hide_banner -nostdin -loglevel warning
        -re -stream_loop /, defined $o{times} ? $o{times} - 1 : -1, '-i',
        $clip->{file}, qw/ -c copy -flvflags no_duration_filesize -f flv /,
        $url);
}

###############################################################################

# Players.  page is what the API shows as pageUrl, and tells them apart.

sub new {
    my ($class, %o) = @_;

    my $self = bless { %o, n => ++$count, tags => [], in => '', flv => '',
        bytes => 0, begun => time() }, $class;
    $self->{page} ||= "http://player/$count";

    return $self;
}

sub flv {
    my ($class, $uri, %o) = @_;

    my $self = $class->new(%o);
    my $s = $self->{socket} = _connect($o{port} || 8080, $o{rcvbuf},
        $o{at});

    print $s "GET $uri HTTP/1.0" . CRLF . 'Host: ' . ($o{host} || 'localhost')
        . CRLF . "Referer: $self->{page}" . CRLF . CRLF;

    $self->{head} = 1;

    return $players{$self->{n}} = $self;
}

sub rtmp {
    my ($class, $app, $stream, %o) = @_;

    my $self = $class->new(%o);
    my $r = Test::RTMP->new(undef, socket => _connect($o{port} || 1935,
        $o{rcvbuf}, $o{at}));

    $self->{socket} = $r->{socket};
    $r->connect($app, pageUrl => $self->{page},
        $o{host} ? (host => $o{host}) : ());
    $self->{start} = $r->play($stream, $o{expect} ? (expect => $o{expect})
        : ()) ? 1 : 0;
    $self->{rtmp} = $r;
    $self->{closed} = time() if $r->{eof};
    $self->parse();

    return $players{$self->{n}} = $self;
}

sub _connect {
    my ($port, $rcvbuf, $at) = @_;

    my $s = IO::Socket::INET->new(Proto => 'tcp') or die "no socket: $!\n";

    setsockopt($s, Socket::SOL_SOCKET, Socket::SO_RCVBUF, $rcvbuf) if $rcvbuf;
    connect($s, Socket::pack_sockaddr_in($at || port($port),
        Socket::inet_aton('127.0.0.1'))) or die "can't connect: $!\n";
    $s->autoflush(1);

    return $s;
}

# Not read any more from here on.

sub pause  { delete $players{$_[0]{n}} }
sub resume { $players{$_[0]{n}} = $_[0] }

sub drop {
    my ($self) = @_;

    delete $players{$self->{n}};
    close $self->{socket} if $self->{socket};
    delete $self->{socket};
    delete $self->{rtmp};
}

sub players_drop { $_->drop() for values %players }

# Reads all of them until the code says yes, for some seconds at most.

sub play_until(&;$) {
    my ($code, $timeout) = @_;

    my $end = time() + ($timeout || 20);

    while (1) {
        my $r = $code->();
        return $r if $r || time() > $end;

        my %by = map { $_->{socket} => $_ } grep { !$_->{closed} }
            values %players;
        my @ready = IO::Select->new(map { $_->{socket} } values %by)
            ->can_read(0.1) if %by;

        sleep(0.02) if !%by;
        $by{$_}->take() for @ready;

        # what comes piece by piece is read in larger pieces

        sleep(0.01) if @ready;
    }
}

sub take {
    my ($self) = @_;

    my $in = $self->{rtmp} ? \$self->{rtmp}{in} : $self->{head}
        ? \$self->{in} : \$self->{flv};
    my $n = sysread $self->{socket}, $$in, $self->{limit} || 262144,
        length $$in;

    if (!$n) {
        return if !defined $n && ($!{EAGAIN} || $!{EINTR});
        $self->{closed} = time();
        return;
    }

    $self->{bytes} += $n;
    $self->parse();
}

sub parse {
    my ($self) = @_;

    return $self->parse_rtmp() if $self->{rtmp};

    if ($self->{head}) {
        return unless $self->{in} =~ s/^(.*?\r\n\r\n)//s;
        $self->{header} = $1;
        ($self->{status}) = $1 =~ m!^HTTP/\S+ (\d+)!;
        return if $self->{status} != 200;
        $self->{head} = 0;
        $self->{flv} = delete $self->{in};
    }

    if (!$self->{flags}) {
        return if length $self->{flv} < 13;
        $self->{flags} = unpack 'H*', substr $self->{flv}, 0, 13, '';
    }

    $self->parse_flv();
}

sub parse_flv {
    my ($self) = @_;

    my $flv = \$self->{flv};
    my $pos = 0;

    while ($pos + 15 <= length $$flv) {
        my ($type, $b, $ts, $ext) = unpack 'CB24B24C', substr $$flv, $pos, 11;
        my $size = oct "0b$b";

        last if $pos + 15 + $size > length $$flv;

        $self->{fault} ||= "previous size at $self->{bytes}"
            if unpack('N', substr $$flv, $pos + 11 + $size, 4) != $size + 11;

        $self->tag($type, oct("0b$ts") | $ext << 24,
            substr $$flv, $pos + 11, $size);
        $pos += 15 + $size;
    }

    substr $$flv, 0, $pos, '';
}

sub parse_rtmp {
    my ($self) = @_;

    my $r = $self->{rtmp};

    while (defined(my $m = $r->parse_chunk())) {
        next unless ref $m;

        if ($m->{type} == 1) {
            $r->{in_chunk} = unpack 'N', $m->{body};

        } elsif ($m->{type} == 4 && unpack('n', $m->{body}) == 6) {
            $r->send_message(4, 0, 0, pack('n', 7) . substr($m->{body}, 2),
                csid => 2);

        } elsif ($m->{type} == 20) {
            push @{$self->{said}}, $1
                if $m->{body} =~ /(Net(?:Stream|Connection)[.\w]+)/;

        } elsif ($m->{type} == 8 || $m->{type} == 9 || $m->{type} == 18) {
            $self->tag($m->{type}, $m->{ts}, $m->{body});
        }
    }
}

sub tag {
    my ($self, $type, $ms, $body) = @_;

    my ($a, $b) = (unpack('CC', $body), 0, 0);
    my $kind = $type == 18 ? 'script'
        : $b == 0 ? $type == 9 ? 'avc' : 'aac'
        : $type == 8 ? 'audio' : $b == 2 ? 'end'
        : $a >> 4 == 1 ? 'key' : 'inter';

    $self->{tags} ||= [];
    push @{$self->{tags}}, { type => $type, ms => $ms, kind => $kind,
        size => length $body, at => time(), digest => $self->{digest}
            ? $self->{digest}->($type, $body) : md5($body),
        frame => $kind =~ /^(key|inter|audio)$/ ? 1 : 0 };
}

###############################################################################

# What came so far: number of tags, of pictures.

sub mark  { return scalar @{$_[0]{tags}} }
sub tags  { my ($p, $from) = @_; my $t = $p->{tags};
            return @$t[($from || 0) .. $#$t] }
sub video { my ($p, $from) = @_;
            return scalar grep { $_->{type} == 9 && $_->{frame} }
                $p->tags($from) }
sub kinds { my ($p, $from) = @_;
            return join ' ', map { $_->{kind} } $p->tags($from) }

# What is wrong with what came since from: a frame that is not the next one of
# the clip, a time that is not later; '' where all is well.  jumps => 1 lets
# frames be left out, as long as pictures go on at a keyframe.  again => 1 lets
# the clip begin anew once, as another encoder does (its first sound may be one
# of before its first picture, which it does not send).

sub faults {
    my ($self, $clip, %o) = @_;

    my (%last, %ms, %again, @faults);
    my @tags = $self->tags($o{from});

    @tags = @tags[0 .. $o{to} - ($o{from} || 0) - 1] if defined $o{to};

    push @faults, $self->{fault} if $self->{fault};

    for my $tag (grep { $_->{frame} } @tags) {
        my $of = $clip->{$tag->{type}};
        my $i = $of->{$tag->{digest}};
        my $what = ($tag->{type} == 9 ? 'picture' : 'sound')
            . " at $tag->{ms} ms";

        if (!defined $i) {
            push @faults, "$what is not of the clip";
            next;
        }

        if (defined $last{$tag->{type}}) {
            my $want = ($last{$tag->{type}} + 1) % keys %$of;
            my $step = $tag->{ms} - $ms{$tag->{type}};

            if ($o{again} && $i != $want && $i <= ($tag->{type} == 8)
                && $step > 0 && !$again{$tag->{type}}++)
            {
                $step = 1;
                $want = $i;
            }

            push @faults, "$what is number $i instead of $want"
                if $i != $want && !($o{jumps}
                    && ($tag->{type} == 8 || $tag->{kind} eq 'key'));
            push @faults, "$what comes after $ms{$tag->{type}} ms"
                if $step < ($tag->{type} == 9 ? 1 : 0)
                    || !$o{jumps} && $step > 150;

        } elsif ($tag->{type} == 9 && $tag->{kind} ne 'key' && !$o{from}) {
            push @faults, "$what is the first and no keyframe";
        }

        $last{$tag->{type}} = $i;
        $ms{$tag->{type}} = $tag->{ms};
    }

    push @faults, 'no picture' unless defined $last{9};
    push @faults, 'no sound' unless defined $last{8};
    splice @faults, 5 if @faults > 5;

    return join '; ', @faults;
}

# Whether two players were shown each frame at the same time of the stream.

sub differs {
    my ($self, $other) = @_;

    my %at = map { ("$_->{type} $_->{ms}" => $_->{digest}) }
        grep { $_->{frame} } $other->tags();
    my $common = 0;

    for my $tag (grep { $_->{frame} } $self->tags()) {
        my $digest = $at{"$tag->{type} $tag->{ms}"} // next;
        return "another frame at $tag->{ms} ms" if $digest ne $tag->{digest};
        $common++;
    }

    return $common ? '' : 'nothing in common';
}

###############################################################################

# Workers of all clients, players by their page, publishers by "publish/NAME".

sub client_workers {
    my ($t) = @_;

    my $json = $t->api_get('/api/v1/clients/?count=10000') || {};

    return { map { ($_->{publish} ? "publish/$_->{name}" : $_->{pageUrl}
        => $_->{worker}) }
        @{$json->{clients} || []} };
}

sub summaries {
    my ($t) = @_;
    my $json = $t->api_get('/api/v1/summaries') || {};
    return $json->{data} || {};
}

sub arena { return summaries($_[0])->{arena} || {} }

# The stream of that name, where it has a publisher that sends.

sub live {
    my ($t, $name) = @_;

    my $json = $t->api_get('/api/v1/streams/?count=10000') || {};
    my ($s) = grep { $_->{name} eq $name && $_->{publish}{active} }
        @{$json->{streams} || []};

    return $s && $s->{video} ? $s : undef;
}

1;
