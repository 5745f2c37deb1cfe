package Test::Nginx::Hook;

# Copyright (C) the nginx media suite authors

# A back end for hooks: an HTTP/1.1 server that keeps what it is told and
# answers what it was given to say.
#
#     my $hook = Test::Nginx::Hook->new($t, port(8085));
#
#     $hook->answer('/publish', status => 200, body => '1', delay => 2);
#     my @all = $hook->requests('/publish');
#     $hook->stop();
#     $hook->start();
#
# A request is { method, uri, path, query, headers, body, time, peer, n }: the
# number of the request on its connection.  body: "{"... is also read as
# {fields}, names and values in their order, and {json}, a form as {form}.
# Answers: status, body, location, delay, close (no answer), half (an answer
# that ends early), raw.

use warnings;
use strict;

use Exporter;
use IO::Select;
use IO::Socket::INET;
use JSON::PP;
use Test::Nginx;
use Time::HiRes qw/ time sleep /;

sub new {
    my ($class, $t, $port) = @_;

    my $self = bless {
        t => $t, port => $port,
        log => $t->testdir() . "/hook-$port.log",
        rules => $t->testdir() . "/hook-$port.json",
        answers => {}, from => 0,
    }, $class;

    $self->save();

    return $self->start();
}

sub start {
    my ($self) = @_;

    $self->{pid} = $self->{t}->run_daemon(\&serve, $self);
    $self->{t}->waitforsocket('127.0.0.1:' . $self->{port})
        or die "no back end\n";

    return $self;
}

sub stop {
    my ($self) = @_;

    $self->{t}->stop_daemon($self->{pid});

    return $self;
}

sub save {
    my ($self) = @_;

    open my $fh, '>', "$self->{rules}.new" or die $!;
    print $fh encode_json($self->{answers});
    close $fh;
    rename "$self->{rules}.new", $self->{rules};

    return $self;
}

# For a path from now on; without anything: as at first, 200 and "0".

sub answer {
    my ($self, $path, %answer) = @_;

    delete $self->{answers}{$path};
    $self->{answers}{$path} = \%answer if %answer;

    return $self->save();
}

# Those to a path (all without one) since the last forget().

sub requests {
    my ($self, $path) = @_;

    open my $fh, '<', $self->{log} or return ();
    my @all = map { decode_json($_) } grep { /\n$/ } <$fh>;
    splice @all, 0, $self->{from};

    @all = grep { $_->{path} eq $path } @all if defined $path;

    for my $r (@all) {
        my $body = $r->{body};

        if ($body =~ /^\{/) {
            $r->{json} = eval { decode_json($body) };
            push @{$r->{fields}}, [$1, $2]
                while $body =~ /[{,]"(\w+)":("(?:[^"\\]|\\.)*"|[^,"}]+)/g;

        } else {
            for my $pair (split /&/, $body) {
                my ($k, $v) = split /=/, $pair, 2;
                $v =~ s/%(..)/chr hex $1/ge if defined $v;
                $r->{form}{$k} = $v;
                push @{$r->{names}}, $k;
            }
        }
    }

    return @all;
}

sub forget {
    my ($self) = @_;

    open my $fh, '<', $self->{log} or return $self;
    $self->{from} = () = <$fh>;

    return $self;
}

# Waits for n of them; gives them, or what there is when time is up.

sub wait_for {
    my ($self, $path, $n, $timeout) = @_;

    wait_until(sub { $self->requests($path) >= $n }, $timeout || 10);

    return $self->requests($path);
}

###############################################################################

# the server

sub serve {
    my ($self) = @_;

    my $server = IO::Socket::INET->new(Proto => 'tcp', ReuseAddr => 1,
        LocalAddr => '127.0.0.1', LocalPort => $self->{port}, Listen => 1024)
        or die "back end: $!\n";
    my $select = IO::Select->new($server);
    my (%conn, @late);

    open my $log, '>>', $self->{log} or die $!;
    $log->autoflush(1);

    while (1) {
        my $wait = 5;

        for my $l (@late) {
            my $left = $l->[0] - time();
            $wait = $left if $left < $wait;
        }

        for my $s ($select->can_read($wait < 0 ? 0 : $wait)) {

            if ($s == $server) {
                my $c = $server->accept() or next;
                $c->autoflush(1);
                $select->add($c);
                $conn{fileno $c} = { in => '', n => 0 };
                next;
            }

            my $c = $conn{fileno $s};
            my $n = sysread $s, $c->{in}, 65536, length $c->{in};

            if (!$n) {
                delete $conn{fileno $s};
                $select->remove($s);
                @late = grep { $_->[1] != $s } @late;
                close $s;
                next;
            }

            while (my $r = take($c)) {
                $r->{time} = time();
                $r->{peer} = eval { $s->peerport() };
                print $log encode_json($r), "\n";

                my $a = $self->rule($r->{path});
                push @late, [time() + ($a->{delay} || 0), $s, $a];
            }
        }

        my @now = grep { $_->[0] <= time() } @late;
        @late = grep { my $l = $_; !grep { $_ == $l } @now } @late;

        for my $l (@now) {
            my ($when, $s, $a) = @$l;
            next unless defined fileno $s && $conn{fileno $s};

            print $s reply($a) unless $a->{close};

            if ($a->{close} || $a->{half} || $a->{raw}) {
                delete $conn{fileno $s};
                $select->remove($s);
                close $s;
            }
        }
    }
}

sub rule {
    my ($self, $path) = @_;

    open my $fh, '<', $self->{rules} or return {};
    local $/;

    return decode_json(<$fh>)->{$path} || {};
}

sub take {
    my ($c) = @_;

    return undef unless $c->{in} =~ /^(.*?)\r\n\r\n/s;

    my $head = $1;
    my ($size) = $head =~ /^Content-Length:\s*(\d+)/mi;
    my $whole = length($head) + 4 + ($size || 0);

    return undef if length $c->{in} < $whole;

    my $body = substr $c->{in}, length($head) + 4, $size || 0;
    substr($c->{in}, 0, $whole) = '';

    my ($line, @headers) = split /\r\n/, $head;
    my ($method, $uri) = split / /, $line;
    my ($path, $query) = split /\?/, $uri, 2;

    return {
        method => $method, uri => $uri, path => $path, query => $query,
        body => $body, n => ++$c->{n},
        headers => { map { /^([^:]+):\s*(.*)$/ ? (lc $1 => $2) : () }
            @headers },
    };
}

sub reply {
    my ($a) = @_;

    return $a->{raw} if defined $a->{raw};

    my $body = $a->{body} // '0';
    my $size = length($body) + ($a->{half} ? 100 : 0);
    my $status = $a->{status} || 200;
    my $more = $a->{location} ? "Location: $a->{location}\r\n" : '';

    return "HTTP/1.1 $status Answer\r\nContent-Length: $size\r\n$more\r\n"
        . $body;
}

1;
