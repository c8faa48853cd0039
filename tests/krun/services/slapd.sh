#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# OpenLDAP: its init script, root by the credentials of a socket, an entry that is found.
service slapd start >/dev/null && echo started
ldapwhoami -Q -Y EXTERNAL -H ldapi:///
base=$(ldapsearch -x -LLL -s base -b '' namingContexts | sed -n 's/namingContexts: //p')
ldapsearch -Q -Y EXTERNAL -H ldapi:/// -LLL -b cn=config olcDatabase=mdb olcDbMaxSize | sed -n 's/olcDb/&/p'
ldapmodify -Q -Y EXTERNAL -H ldapi:/// >/dev/null <<END
dn: olcDatabase={1}mdb,cn=config
changetype: modify
replace: olcRootPW
olcRootPW: secret
END
ldapadd -x -D "cn=admin,$base" -w secret <<END | sed 's/,dc=.*"/"/'
dn: ou=people,$base
objectClass: organizationalUnit
ou: people
END
ldapsearch -x -LLL -b "$base" ou=people ou | sed '/^dn/d; /^$/d'
service slapd stop >/dev/null && echo stopped
