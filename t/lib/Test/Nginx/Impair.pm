package Test::Nginx::Impair;

# Copyright (C) the nginx media suite authors

# A bad network on the way to a port, by t/tools/impair, which says what there
# is:
#
#     my $net = Test::Nginx::Impair->new($t, tcp => port(1935), delay => 30,
#         jitter => 10, rate => 2000);
#
#     ... $net->{tcp} is the port to connect to, $net->{udp} that of UDP ...
#
#     $net->rebind();              at once
#     $net->reset();
#     my $seen = $net->end();      { up => { packets, lost, ... }, down, resets }
#
# Names of options have underscores: up_loss => 5.

use warnings;
use strict;

use Test::Nginx;

sub new {
    my ($class, $t, %o) = @_;

    my $self = bless { t => $t }, $class;

    $self->{pid} = $t->run_daemon(tool(), map {
        my $name = $_;
        $name =~ tr/_/-/;
        "--$name=$o{$_}";
    } sort keys %o);

    for my $kind (grep { $o{$_} } qw/ tcp udp /) {
        wait_until(sub {
            ($self->{$kind}) = $t->daemon_log($self->{pid})
                =~ /^$kind (\d+)$/m;
            return $self->{$kind} || !$t->daemon_alive($self->{pid});
        }, 10);

        die 'impair: ', $t->daemon_log($self->{pid}), "\n"
            unless $self->{$kind};
    }

    return $self;
}

sub rebind { kill 'USR1', $_[0]{pid} }
sub reset  { kill 'USR2', $_[0]{pid} }

sub end {
    my ($self) = @_;

    kill 'TERM', $self->{pid};
    $self->{t}->wait_daemon($self->{pid}, 10);

    my %seen;

    for (split /\n/, $self->{t}->daemon_log($self->{pid})) {
        my ($dir, $rest) = /^(up|down) (.*)/ or next;
        $seen{$dir} = { split ' ', $rest };
    }

    my ($last) = $self->{t}->daemon_log($self->{pid}) =~ /^(resets .*)/m;

    return { %seen, split ' ', $last // '' };
}

# Where it is; built where it is not, or is older than its source.

sub tool {
    my $root = $Test::Nginx::ROOT;
    my $objs = $ENV{TEST_NGINX_OBJS} || "$root/objs";
    my $out = `make -s -C '$root' tools OBJS='$objs' 2>&1`;

    die "impair: $out\n" if $?;

    return "$objs/tools/impair";
}

1;
