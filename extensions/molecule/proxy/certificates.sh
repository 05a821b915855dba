#!/bin/sh
# certificates.sh FOLDER: an authority for clients, a certificate for each of them, NAME.pem with its key, and a list of
# those that were revoked, which is empty.
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
client alice /O=Lab/OU=users/CN=alice
client bob /O=Lab/CN=bob
client forged /O=Lab/CN=alice stranger
client none /O=Lab/OU=alice
client twice /CN=alice/CN=bob
client plus /CN=nemo+CN=alice
client comma '/O=Lab,CN=root/CN=nemo,CN=alice'
client newline "/O=Lab/CN=alice
X-User: root"
client long "/CN=aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"
client accent /CN=alicé
for name in eve root toor slurm slurm2 daemon nobody nemo 0 64030 Alice 'alice root'; do
    client "$name" "/O=Lab/CN=$name"
done
# Expires at once.
client expired /CN=alice ca 0
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
