package Test::RTMP;

# Copyright (C) the nginx media suite authors

# A small RTMP client for tests: it says what it is told to and shows what it
# is told.
#
#     my $p = Test::RTMP->new(port(1935))->connect('live');
#     $p->publish('stream');
#     $p->video(0, Test::RTMP::avc_config());
#     $p->video(40, Test::RTMP::avc_key(1));
#
#     my $c = Test::RTMP->new(port(1935))->connect('live');
#     $c->play('stream');
#     my $m = $c->read_video();
#
# Values of AMF: undef is null, a hash an object, an array a strict array,
# num(1) a number, bool(1) a boolean, anything else a string.  What is read
# has plain numbers and strings.  Every read is bound by a timeout.

use warnings;
use strict;

use base qw/ Exporter /;

our @EXPORT_OK = qw/ num bool amf0 amf0_read /;

use Digest::SHA qw/ hmac_sha256 /;
use IO::Select;
use IO::Socket::INET;
use Socket qw/ IPPROTO_TCP TCP_NODELAY /;
use Time::HiRes qw/ time sleep /;

use constant TIMEOUT => 10;

use constant {
    PLAYER => "Genuine Adobe Flash Player 001",
    SERVER => "Genuine Adobe Flash Media Server 001",
    CRUD => pack('H*', 'f0eec24a8068bee82e00d0d1029e7e57'
        . '6eec5d2d29806fab93b8e636cfeb31ae'),
};

sub num  { return bless { v => $_[0] }, 'Test::RTMP::Number' }
sub bool { return bless { v => $_[0] }, 'Test::RTMP::Boolean' }

###############################################################################

# port, or socket => one that is connected; handshake => simple, digest0,
# digest1 or none; chunk => own chunk size; nodelay => small writes do not wait

sub new {
    my ($class, $port, %opts) = @_;

    my $self = bless {
        in => '', streams => {}, in_chunk => 128, out_chunk => 128,
        seen => [], transaction => 0, bytes => 0, sent => {},
        msid => 1, timeout => $opts{timeout} || TIMEOUT,
    }, $class;

    $self->{socket} = $opts{socket} || IO::Socket::INET->new(
        Proto => 'tcp', PeerAddr => '127.0.0.1', PeerPort => $port,
        Timeout => 5)
        or die "Can't connect to port $port: $!\n";

    binmode $self->{socket};
    $self->{socket}->autoflush(1);

    setsockopt($self->{socket}, IPPROTO_TCP, TCP_NODELAY, 1)
        if $opts{nodelay};

    my $handshake = $opts{handshake} || 'simple';

    return $self if $handshake eq 'none';

    $self->handshake($handshake);
    $self->set_chunk_size($opts{chunk}) if $opts{chunk};

    return $self;
}

sub handshake {
    my ($self, $kind) = @_;

    my $random = join '', map { chr(int(rand(256))) } 1 .. 1528;
    my $c1 = pack('NN', 0, 0) . $random;
    my ($digest, $offset);

    if ($kind =~ /digest(\d)/) {
        my $base = $1 ? 8 : 772;

        $c1 = pack('NC4', 1, 128, 0, 7, 2) . $random;
        $offset = digest_offset($c1, $base);
        $digest = make_digest($c1, $offset, PLAYER);
        substr($c1, $offset, 32) = $digest;
        $self->{base} = $base;
    }

    $self->write_raw("\x03" . $c1);

    my $s = $self->read_raw(3073);
    die "no handshake answer\n" unless defined $s && length $s == 3073;

    my $s1 = substr($s, 1, 1536);
    my $s2 = substr($s, 1537);

    $self->{version} = ord($s);
    $self->{echo} = substr($s2, 8) eq substr($c1, 8);

    if ($digest) {
        my $o = digest_offset($s1, $self->{base});

        $self->{s1_digest} = substr($s1, $o, 32)
            eq make_digest($s1, $o, SERVER);

        my $key = hmac_sha256($digest, SERVER . CRUD);
        $self->{s2_digest} = substr($s2, 1504)
            eq hmac_sha256(substr($s2, 0, 1504), $key);
    }

    $self->write_raw($s1);

    return $self;
}

sub digest_offset {
    my ($block, $base) = @_;
    my $sum = 0;

    $sum += $_ for unpack('C4', substr($block, $base, 4));

    return $base + 4 + $sum % 728;
}

sub make_digest {
    my ($block, $offset, $key) = @_;

    return hmac_sha256(substr($block, 0, $offset)
        . substr($block, $offset + 32), $key);
}

sub close {
    my ($self) = @_;

    $self->{socket}->close() if $self->{socket};
    undef $self->{socket};
}

###############################################################################

sub write_raw {
    my ($self, $data) = @_;

    while (length $data) {
        local $SIG{PIPE} = 'IGNORE';
        my $n = syswrite($self->{socket}, $data);
        return 0 unless defined $n;
        substr($data, 0, $n) = '';
    }

    return 1;
}

# Reads more into the buffer: 1, or 0 at the end of the connection or time.

sub fill {
    my ($self, $until) = @_;

    my $pending = $self->{socket}->can('pending')
        && $self->{socket}->pending();

    if (!$pending) {
        my $left = $until - time();
        return 0 if $left <= 0;
        return 0 unless IO::Select->new($self->{socket})->can_read($left);
    }

    my $n = sysread($self->{socket}, $self->{in}, 65536, length $self->{in});

    if (!$n) {
        return 1 if !defined $n && $!{EAGAIN};
        $self->{eof} = 1;
        return 0;
    }

    $self->{bytes} += $n;

    return 1;
}

sub read_raw {
    my ($self, $n, $timeout) = @_;

    my $until = time() + ($timeout || $self->{timeout});

    while (length $self->{in} < $n) {
        return undef unless $self->fill($until);
    }

    return substr($self->{in}, 0, $n, '');
}

# 1 where the server closes within the time; what comes meanwhile is read.

sub closed {
    my ($self, $timeout) = @_;

    my $until = time() + ($timeout || $self->{timeout});

    while (!$self->{eof} && $self->fill($until)) {
        $self->{in} = '' if $self->{drop};
    }

    return $self->{eof} ? 1 : 0;
}

###############################################################################

# One message: fmt and csid as given; bodies are cut by our chunk size.

sub send_message {
    my ($self, $type, $msid, $ts, $body, %o) = @_;

    return $self->write_raw($self->message($type, $msid, $ts, $body, %o));
}

sub message {
    my ($self, $type, $msid, $ts, $body, %o) = @_;

    my $csid = $o{csid} || 3;
    my $fmt = $o{fmt} || 0;
    my $chunk = $self->{out_chunk};
    my $field = defined $o{delta} ? $o{delta} : $ts;
    my $ext = $field >= 0xffffff ? pack('N', $field & 0xffffffff) : '';
    my $out = basic($fmt, $csid);

    if ($fmt < 3) {
        $out .= substr(pack('N', $ext eq '' ? $field : 0xffffff), 1);
    }

    if ($fmt < 2) {
        $out .= substr(pack('N', length $body), 1) . chr($type);
    }

    $out .= pack('V', $msid) if $fmt == 0;
    $out .= $ext;

    for (my $pos = 0; ; ) {
        $out .= substr($body, $pos, $chunk);
        $pos += $chunk;
        last if $pos >= length $body;
        $out .= basic(3, $csid);
        $out .= $ext unless $o{omit_ext};
    }

    return $out;
}

sub basic {
    my ($fmt, $csid) = @_;

    return chr($fmt << 6 | $csid) if $csid < 64;
    return chr($fmt << 6) . chr($csid - 64) if $csid < 320;
    return chr($fmt << 6 | 1) . pack('v', $csid - 64);
}

sub set_chunk_size {
    my ($self, $size) = @_;

    $self->send_message(1, 0, 0, pack('N', $size), csid => 2);
    $self->{out_chunk} = $size;

    return $self;
}

# The next message: { type, msid, ts, body, csid, fmt }, undef at the end of
# connection or time.  Chunk size and ping are carried out on the way.

sub read_message {
    my ($self, $timeout) = @_;

    my $until = time() + ($timeout || $self->{timeout});

    for ( ;; ) {
        my $m = $self->parse_chunk();

        if (!defined $m) {
            return undef unless $self->fill($until);
            next;
        }

        next unless ref $m;

        if ($m->{type} == 1) {
            $self->{in_chunk} = unpack('N', $m->{body});

        } elsif ($m->{type} == 4 && unpack('n', $m->{body}) == 6) {
            $self->{pings}++;
            $self->send_message(4, 0, 0,
                pack('n', 7) . substr($m->{body}, 2), csid => 2)
                unless $self->{no_pong};
        }

        return $m;
    }
}

# One chunk: undef: not all there, 0: a message goes on, else the message.

sub parse_chunk {
    my ($self) = @_;

    my $in = \$self->{in};
    my $len = length $$in;

    return undef if $len < 1;

    my $b = ord($$in);
    my ($fmt, $csid, $p) = ($b >> 6, $b & 0x3f, 1);

    if ($csid < 2) {
        return undef if $len < 2 + $csid;
        $csid = 64 + ($csid ? unpack('v', substr($$in, 1, 2))
            : ord(substr($$in, 1, 1)));
        $p += 1 + ($b & 0x3f);
    }

    my $s = $self->{streams}{$csid} ||= { body => '', len => 0 };
    my $n = (11, 7, 3, 0)[$fmt];

    return undef if $len < $p + $n + 4;

    my %h = %$s;
    my $field = $h{field};

    if ($fmt < 3) {
        $field = unpack('N', "\0" . substr($$in, $p, 3));
        $h{ext} = $field == 0xffffff;
    }

    if ($fmt < 2) {
        $h{len} = unpack('N', "\0" . substr($$in, $p + 3, 3));
        $h{type} = ord(substr($$in, $p + 6, 1));
    }

    $h{msid} = unpack('V', substr($$in, $p + 7, 4)) if $fmt == 0;
    $p += $n;

    if ($h{ext}) {
        $field = unpack('N', substr($$in, $p, 4));
        $p += 4;
    }

    my $want = $h{len} - length $s->{body};
    $want = $self->{in_chunk} if $want > $self->{in_chunk};

    return undef if $len < $p + $want;

    if (!length $s->{body}) {
        $h{ts} = $fmt == 0 ? $field : ($h{ts} || 0) + $field;
        $h{fmt} = $fmt;
    }

    $h{field} = $field;
    $h{body} = $s->{body} . substr($$in, $p, $want);
    substr($$in, 0, $p + $want) = '';

    if (length $h{body} < $h{len}) {
        $self->{streams}{$csid} = \%h;
        return 0;
    }

    my $m = { %h, csid => $csid };
    $h{body} = '';
    $self->{streams}{$csid} = \%h;

    return $m;
}

# Reads until the code says yes to a message; the others are in {seen}.

sub expect {
    my ($self, $code, $timeout) = @_;

    my $until = time() + ($timeout || $self->{timeout});

    $self->{seen} = [];

    while ((my $left = $until - time()) > 0) {
        my $m = $self->read_message($left);

        last unless $m;

        decode($m);
        return $m if $code->($m);

        push @{$self->{seen}}, $m;
    }

    return undef;
}

sub decode {
    my ($m) = @_;

    my $body = $m->{body};

    if ($m->{type} == 17 || $m->{type} == 15) {
        substr($body, 0, 1) = '';
    }

    $m->{values} = [amf0_read($body)] if $m->{type} =~ /^(15|17|18|20)$/;

    return $m;
}

# onStatus with that code: its object

sub status {
    my ($self, $code, $timeout) = @_;

    my $m = $self->expect(sub {
        my $v = $_[0]{values} or return 0;
        my ($info) = grep { ref $_ eq 'HASH' } @$v;
        return $v->[0] eq 'onStatus' && $info && $info->{code} eq $code;
    }, $timeout);

    return undef unless $m;

    $m->{info} = (grep { ref $_ eq 'HASH' } @{$m->{values}})[-1];

    return $m;
}

# _result or _error of a transaction: [name, transaction, ...]

sub answer {
    my ($self, $transaction, $timeout) = @_;

    my $m = $self->expect(sub {
        my $v = $_[0]{values} or return 0;
        return ($v->[0] eq '_result' || $v->[0] eq '_error')
            && $v->[1] == $transaction;
    }, $timeout);

    return $m ? $m->{values} : undef;
}

sub user_event {
    my ($self, $event, $timeout) = @_;

    return $self->expect(sub {
        return $_[0]{type} == 4 && unpack('n', $_[0]{body}) == $event;
    }, $timeout);
}

sub read_type {
    my ($self, $type, $timeout) = @_;

    return $self->expect(sub { $_[0]{type} == $type }, $timeout);
}

sub read_video { return $_[0]->read_type(9, $_[1]) }
sub read_audio { return $_[0]->read_type(8, $_[1]) }

###############################################################################

# command($name, $transaction, @values): sends it, on message stream 0

sub command {
    my ($self, $name, $transaction, @values) = @_;

    return $self->command_on(0, $name, $transaction, @values);
}

sub command_on {
    my ($self, $msid, $name, $transaction, @values) = @_;

    my $body = amf0($name, num($transaction), @values);

    return $self->send_message(17, $msid, 0, "\0" . $body) if $self->{amf3};
    return $self->send_message(20, $msid, 0, $body);
}

# A command that wants an answer: the answer.

sub call {
    my ($self, $name, @values) = @_;

    my $t = ++$self->{transaction};

    $self->command($name, $t, @values);

    return $self->answer($t);
}

sub connect {
    my ($self, $app, %props) = @_;

    my $url = delete $props{tcUrl};
    my $host = delete $props{host} || '127.0.0.1';

    $self->{connected} = $self->call('connect', {
        app => $app, tcUrl => defined $url ? $url : "rtmp://$host/$app",
        flashVer => 'LNX 9,0,124,2', %props
    });

    return $self;
}

sub create_stream {
    my ($self) = @_;

    my $r = $self->call('createStream', undef);
    $self->{msid} = $r->[3] if $r && $r->[0] eq '_result';

    return $self->{msid};
}

# Flash style, or FMLE style with fmle => 1; gives the status.

sub publish {
    my ($self, $name, %o) = @_;

    if ($o{fmle}) {
        $self->call('releaseStream', undef, $name);
        $self->call('FCPublish', undef, $name);
    }

    $self->create_stream() unless $o{again};
    $self->command_on($self->{msid}, 'publish', 0, undef, $name, 'live');

    return $self->status($o{expect} || 'NetStream.Publish.Start');
}

sub play {
    my ($self, $name, %o) = @_;

    $self->create_stream() unless $o{again};
    $self->command_on($self->{msid}, 'play', 0, undef, $name,
        defined $o{start} ? num($o{start}) : ());

    return $self if $o{expect} && $o{expect} eq 'nothing';
    return $self->status($o{expect} || 'NetStream.Play.Start');
}

sub video {
    my ($self, $ts, $body, %o) = @_;

    return $self->send_message(9, $self->{msid}, $ts, $body, csid => 6, %o);
}

sub audio {
    my ($self, $ts, $body, %o) = @_;

    return $self->send_message(8, $self->{msid}, $ts, $body, csid => 4, %o);
}

sub data {
    my ($self, $ts, @values) = @_;

    return $self->send_message(18, $self->{msid}, $ts, amf0(@values),
        csid => 5);
}

###############################################################################

# Bodies.  The parameter sets are of a stream of 64x64; frames hold one NAL
# whose payload tells its number.

sub avc_config {
    my $sps = pack('H*', '6742c00ad90444ec0440000003004000000c03c489e4');
    my $pps = pack('H*', '68cb83cb20');

    return "\x17\x00\0\0\0\x01" . substr($sps, 1, 3) . "\xff\xe1"
        . pack('n', length $sps) . $sps . "\x01"
        . pack('n', length $pps) . $pps;
}

sub avc_nal {
    my ($type, $n, $size) = @_;

    my $nal = chr($type) . "\x88" . sprintf('%08d', $n)
        . 'x' x (($size || 100) - 10);

    return pack('N', length $nal) . $nal;
}

sub avc_key   { return "\x17\x01\0\0\0" . avc_nal(0x65, @_) }
sub avc_inter { return "\x27\x01\0\0\0" . avc_nal(0x41, @_) }

sub aac_config { return "\xaf\x00\x12\x10" }
sub aac_frame  { return "\xaf\x01" . sprintf('!%07d', $_[0]) . 'a' x 50 }

# The number in a frame's body, undef where there is none.

sub number {
    my ($m) = @_;

    return ($m->{body} // '') =~ /(?:\x88|!\d?)(\d{7,8})/s ? $1 + 0 : undef;
}

###############################################################################

sub amf0 {
    return join '', map { amf0_value($_) } @_;
}

sub amf0_value {
    my ($v) = @_;

    return "\x05" unless defined $v;

    my $ref = ref $v;

    return "\x00" . pack('d>', $v->{v}) if $ref eq 'Test::RTMP::Number';
    return "\x01" . chr($v->{v} ? 1 : 0) if $ref eq 'Test::RTMP::Boolean';

    if ($ref eq 'HASH') {
        return "\x03" . join('', map {
            pack('n/a*', $_) . amf0_value($v->{$_}) } sort keys %$v)
            . "\0\0\x09";
    }

    if ($ref eq 'ARRAY') {
        return "\x0a" . pack('N', scalar @$v)
            . join('', map { amf0_value($_) } @$v);
    }

    return length $v > 65535 ? "\x0c" . pack('N/a*', $v)
        : "\x02" . pack('n/a*', $v);
}

# Reads all values of a string; stops at what it does not know.

sub amf0_read {
    my ($in) = @_;

    my @values;

    while (length $in) {
        my ($v, $ok) = amf0_take(\$in);
        last unless $ok;
        push @values, $v;
    }

    return @values;
}

sub amf0_take {
    my ($in) = @_;

    my $t = ord(substr($$in, 0, 1, ''));

    return (unpack('d>', substr($$in, 0, 8, '')), 1) if $t == 0;
    return (ord(substr($$in, 0, 1, '')), 1) if $t == 1;
    return (undef, 1) if $t == 5 || $t == 6;

    if ($t == 2 || $t == 12) {
        my $n = $t == 2 ? unpack('n', substr($$in, 0, 2, ''))
            : unpack('N', substr($$in, 0, 4, ''));
        return (substr($$in, 0, $n, ''), 1);
    }

    if ($t == 10) {
        my $n = unpack('N', substr($$in, 0, 4, ''));
        my @list;

        while ($n-- && length $$in) {
            push @list, (amf0_take($in))[0];
        }

        return (\@list, 1);
    }

    if ($t == 3 || $t == 8) {
        my %object;

        substr($$in, 0, 4, '') if $t == 8;

        while (length $$in) {
            my $n = unpack('n', substr($$in, 0, 2, ''));
            my $key = substr($$in, 0, $n, '');

            if ($n == 0 && substr($$in, 0, 1) eq "\x09") {
                substr($$in, 0, 1, '');
                last;
            }

            $object{$key} = (amf0_take($in))[0];
        }

        return (\%object, 1);
    }

    return (undef, 0);
}

# AMF3, for what a Flash client with objectEncoding 3 sends

sub amf3_u29 {
    my ($n) = @_;

    return chr($n) if $n < 0x80;
    return chr($n >> 7 | 0x80) . chr($n & 0x7f) if $n < 0x4000;
    return chr($n >> 14 | 0x80) . chr($n >> 7 & 0x7f | 0x80) . chr($n & 0x7f);
}

sub amf3_string { return amf3_u29(length($_[0]) << 1 | 1) . $_[0] }

sub amf3_object {
    my ($o) = @_;

    return "\x11\x0a\x0b\x01" . join('', map {
        amf3_string($_) . "\x06" . amf3_string($o->{$_}) } sort keys %$o)
        . "\x01";
}

###############################################################################

1;

###############################################################################
