#!/bin/sh
# Copyright (c) 2026, hpc.slurm_jwt contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
#
# certificates.sh FOLDER: an authority for clients, a certificate for each of them, NAME.pem with its key, and a list of
# those that were revoked, which is empty. The user is the attribute UID.
set -eu
mkdir -m 0755 "$1"
cd "$1"
key() { openssl ecparam -name prime256v1 -genkey -noout -out "$1"; }
authority() {
    key "$1.key"
    openssl req -x509 -new -key "$1.key" -days 30 -subj "/O=Lab/CN=$1" -out "$1.pem"
}
# client NAME SUBJECT [AUTHORITY [DAYS]]
client() {
    key "$1.key"
    openssl req -new -utf8 -key "$1.key" -subj "$2" -out "$1.csr"
    openssl x509 -req -in "$1.csr" -CA "${3-ca}.pem" -CAkey "${3-ca}.key" -CAcreateserial -days "${4-30}" -out "$1.crt"
    cat "$1.crt" "$1.key" > "$1.pem"
    rm "$1.csr" "$1.crt" "$1.key"
}
authority ca
authority stranger
client alice /O=Lab/OU=users/UID=alice
client bob /O=Lab/UID=bob
client forged /O=Lab/UID=alice stranger
client none /O=Lab/OU=alice
client twice /UID=alice/UID=bob
client plus /UID=nemo+UID=alice
client comma '/O=Lab,UID=root/UID=nemo,UID=alice'
# Another attribute, and a character that becomes ASCII in lower case (KELVIN SIGN).
client lower /O=Lab/uid=alice
client both /O=Lab/uid=root/UID=alice
client joined /O=Lab/CN=x+UID=alice
client kelvin "/O=Lab/UID=$(printf '\342\204\252')im"
client newline "/O=Lab/UID=alice
X-User: root"
client long "/UID=aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"
client accent /UID=alicé
for name in eve root toor slurm slurm2 daemon nobody nemo kim 0 64030 Alice 'alice root'; do
    client "$name" "/O=Lab/UID=$name"
done
# Expires at once.
client expired /UID=alice ca 0
cat > ca.cnf <<END
[ca]
default_ca = lab
[lab]
database = $1/index.txt
default_md = sha256
default_crl_days = 30
END
: > index.txt
openssl ca -config ca.cnf -gencrl -cert ca.pem -keyfile ca.key -out crl.pem
