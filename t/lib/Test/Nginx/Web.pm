package Test::Nginx::Web;

# Copyright (C) the nginx media suite authors

# Web servers and name servers as bad as they come, for what asks them:
#
#     my $web = Test::Nginx::Web->new($t, port(8081));    # runs beside nginx
#     $web->seen();         # requests so far: [{ method, path, conn, body }]
#
# What a request gets is in its path:
#
#     /ok (as all with a body of their own: "0") /echo /chunked /old
#     /status/N /redirect /big/BYTES
#     /slow/MS /never /garbage /half /close /reset /endless /trickle
#     /headers /bye (an answer, then the connection is closed)
#
#     Test::Nginx::Web::dns($t, port, { 'a.test' => ['127.0.0.1'] });
#
# answers for these names, in this order; [] is a name that does not exist,
# undef one about which nothing is said.
#
#     Test::Nginx::Web::certificates($t);
#
# makes NAME.pem and NAME.key: good and self are for localhost, other is not,
# expired was; trusted.pem trusts whoever signed them, but for self.

use warnings;
use strict;

use IO::Select;
use IO::Socket::INET;
use Socket qw/ SOL_SOCKET SO_LINGER inet_aton /;
use Time::HiRes qw/ time /;

sub new {
    my ($class, $t, $port, %opts) = @_;

    my $self = bless { t => $t, port => $port, log => "web-$port.log" },
        $class;

    $t->write_file($self->{log}, '');

    $self->start() unless $opts{down};

    return $self;
}

sub start {
    my ($self) = @_;

    my $listen = IO::Socket::INET->new(Listen => 1024, ReuseAddr => 1,
        LocalAddr => "127.0.0.1:$self->{port}") or die "listen: $!\n";

    $self->{pid} = $self->{t}->run_daemon(sub { $self->serve($listen) });

    close $listen;
}

sub stop {
    my ($self) = @_;
    $self->{t}->stop_daemon($self->{pid});
}

sub seen {
    my ($self) = @_;

    my @lines = split /\n/, $self->{t}->read_file($self->{log}) // '';

    return map {
        my ($conn, $method, $path, $body) = split / /, $_, 4;
        { conn => $conn, method => $method, path => $path, body => $body };
    } @lines;
}

sub serve {
    my ($self, $listen) = @_;

    open my $log, '>>', $self->{t}->testdir() . "/$self->{log}" or die;
    $log->autoflush(1);

    my $read = IO::Select->new($listen);
    my (%conns, $count);

    $listen->blocking(0);

    while (1) {
        my $now = time();
        my @waiting = sort { $a <=> $b } grep { defined }
            map { $_->{at} } values %conns;
        my $for = @waiting ? $waiting[0] - $now : 1;
        my $write = IO::Select->new(
            map { $_->{s} } grep { length $_->{out} || $_->{more} }
            values %conns);
        my ($r, $w) = IO::Select::select($read, $write, undef,
            $for < 0 ? 0 : $for);

        for my $s (@{$r || []}) {
            if ($s == $listen) {
                while (my $new = $listen->accept()) {
                    $new->blocking(0);
                    $read->add($new);
                    $conns{$new} = { s => $new, in => '', out => '',
                        n => ++$count };
                }
                next;
            }

            my $c = $conns{$s} or next;
            my $n = sysread $s, $c->{in}, 65536, length $c->{in};

            if (!$n) {
                next if !defined $n && ($!{EAGAIN} || $!{EINTR});
                $read->remove($s);
                delete $conns{$s};
                close $s;
            }
        }

        $now = time();

        for my $c (values %conns) {
            if (defined $c->{at} && $c->{at} <= $now) {
                delete $c->{at};
                $c->{out} .= delete $c->{then};
            }

            request($c, $log) while !defined $c->{at} && !$c->{stuck}
                && !$c->{more} && !$c->{end}
                && $c->{in} =~ /^(.*?\r\n\r\n)/s && whole($c, $1);
        }

        for my $c (values %conns) {
            $c->{out} .= $c->{more} if $c->{more} && length $c->{out} < 65536;

            if (length $c->{out}) {
                my $n = syswrite $c->{s}, $c->{out};
                substr($c->{out}, 0, $n) = '' if $n;
                $c->{end} = 1, $c->{out} = '' if !$n && !$!{EAGAIN};
            }

            if ($c->{end} && !length $c->{out} && !defined $c->{at}) {
                $read->remove($c->{s});
                setsockopt $c->{s}, SOL_SOCKET, SO_LINGER, pack('ii', 1, 0)
                    if $c->{reset};
                delete $conns{$c->{s}};
                close $c->{s};
            }
        }
    }
}

# the length of its headers where all of a request is there

sub whole {
    my ($c, $head) = @_;

    my ($length) = $head =~ /^Content-Length: (\d+)/mi;

    return 0 if length $c->{in} < length($head) + ($length // 0);

    $c->{head} = substr $c->{in}, 0, length $head, '';
    $c->{body} = substr $c->{in}, 0, $length // 0, '';

    return 1;
}

sub answer {
    my ($body, $status, @headers) = @_;

    return join("\r\n", 'HTTP/1.1 ' . ($status || '200 OK'), @headers,
        'Content-Length: ' . length $body) . "\r\n\r\n$body";
}

sub request {
    my ($c, $log) = @_;

    my ($method, $path) = $c->{head} =~ /^(\S+) (\S+)/;

    print $log "$c->{n} $method $path $c->{body}\n";

    if ($path =~ m!^/slow/(\d+)!) {
        $c->{at} = time() + $1 / 1000;
        $c->{then} = answer("0");

    } elsif ($path =~ m!^/echo!) {
        $c->{out} .= answer("$c->{head}$c->{body}");

    } elsif ($path =~ m!^/status/(\d+)!) {
        $c->{out} .= answer('0', "$1 Status");

    } elsif ($path =~ m!^/redirect!) {
        $c->{out} .= answer('', '302 Found', 'Location: there/else?x=1');

    } elsif ($path =~ m!^/big/(\d+)!) {
        $c->{out} .= answer('b' x $1);

    } elsif ($path =~ m!^/chunked!) {
        $c->{out} .= "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"
            . "1\r\n \r\n1\r\n0\r\n0\r\nTrailer: x\r\n\r\n";

    } elsif ($path =~ m!^/old!) {
        $c->{out} .= "HTTP/1.0 200 OK\r\n\r\n0";
        $c->{end} = 1;

    } elsif ($path =~ m!^/never!) {
        $c->{stuck} = 1;

    } elsif ($path =~ m!^/garbage!) {
        $c->{out} .= join '', map { chr(33 + $_ * 7 % 90) } 1 .. 5000;
        $c->{end} = 1;

    } elsif ($path =~ m!^/half!) {
        $c->{out} .= "HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nhalf";
        $c->{end} = 1;

    } elsif ($path =~ m!^/(close|reset)!) {
        $c->{end} = 1;
        $c->{reset} = $1 eq 'reset';

    } elsif ($path =~ m!^/endless!) {
        $c->{out} .= "HTTP/1.1 200 OK\r\n\r\n";
        $c->{more} = 'endless ' x 1000;

    } elsif ($path =~ m!^/headers!) {
        $c->{out} .= "HTTP/1.1 200 OK\r\n";
        $c->{more} = "X-Header: of many\r\n" x 100;

    } elsif ($path =~ m!^/trickle!) {
        $c->{out} .= "HTTP/1.1 200 OK\r\nContent-Length: 1000\r\n\r\nt";
        $c->{stuck} = 1;

    } else {
        $c->{out} .= answer("0");
        $c->{end} = 1 if $path =~ m!^/bye!;
    }
}

###############################################################################

sub dns {
    my ($t, $port, $names) = @_;

    my $s = IO::Socket::INET->new(Proto => 'udp',
        LocalAddr => "127.0.0.1:$port") or die "bind: $!\n";

    my $pid = $t->run_daemon(sub {
        while (my $from = recv $s, my $q, 512, 0) {
            my ($rest, @labels) = substr $q, 12;

            while (length $rest) {
                my $n = ord substr $rest, 0, 1, '';
                last unless $n;
                push @labels, substr $rest, 0, $n, '';
            }

            my $list = $names->{lc join '.', @labels} or next;
            my ($type) = unpack 'n', $rest;
            my @a = $type == 1 ? @$list : ();

            send $s, pack('a2nnnnn', $q, @$list ? 0x8180 : 0x8183, 1,
                scalar @a, 0, 0)
                . substr($q, 12, length($q) - 12 - length($rest) + 4)
                . join('', map { pack 'nnnNna4', 0xc00c, 1, 1, 1, 4,
                    inet_aton($_) } @a), 0, $from;
        }
    });

    close $s;

    return $pid;
}

###############################################################################

sub certificates {
    my ($t) = @_;

    my $dir = $t->testdir();
    my $key = 'ec -pkeyopt ec_paramgen_curve:P-256 -nodes';
    my %host = (good => 'localhost', self => 'localhost',
        other => 'other.test', ca => 'authority');

    $t->write_file('ca.conf', "[ca]\ndefault_ca=a\n[a]\ndatabase=ca.db\n"
        . "new_certs_dir=.\nserial=ca.serial\ndefault_md=sha256\n"
        . "policy=p\ncopy_extensions=copy\n[p]\ncommonName=supplied\n");
    $t->write_file('ca.db', '');
    $t->write_file('ca.serial', "01\n");

    my @commands = map {
        "openssl req -x509 -newkey $key -subj /CN=$host{$_}"
            . " -addext subjectAltName=DNS:$host{$_}"
            . " -keyout $_.key -out $_.pem"
    } sort keys %host;

    push @commands, "openssl req -new -newkey $key -subj /CN=localhost"
        . ' -addext subjectAltName=DNS:localhost'
        . ' -keyout expired.key -out expired.csr',
        'openssl ca -batch -config ca.conf -cert ca.pem -keyfile ca.key'
        . ' -startdate 20200101000000Z -enddate 20200201000000Z -notext'
        . ' -in expired.csr -out expired.pem',
        'cat good.pem other.pem ca.pem > trusted.pem';

    for my $command (@commands) {
        system("cd $dir && ($command) >>openssl.log 2>&1") == 0
            or die "$command\n" . $t->read_file('openssl.log');
    }
}

1;
