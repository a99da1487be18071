#!/bin/sh
# What Entra needs for instance zrh: a registration for each set of scopes, consented to exactly that.
# Read it, then run it after `az login --tenant contoso.onmicrosoft.com`, as somebody who may register applications
# and consent to their permissions. It makes new registrations each time it runs.
set -eu
graph=00000003-0000-0000-c000-000000000000  # Microsoft Graph

# RESOURCE appRoles|oauth2PermissionScopes NAME: the permission's id, as the tenant knows it.
permission() {
  found=$(az ad sp show --id "$1" --query "$2[?value=='$3'].id" --output tsv)
  if [ -z "$found" ]; then echo "$1 has no permission $3 in $2" >&2; return 1; fi
  echo "$found"
}

: "${PRINCIPAL:?the principal id of the identity of this machine; of a VM: az vm identity show --query principalId}"

# aid-mail (refresh-token): Calendars.Read, Mail.Read; agent helpdesk
app=$(az ad app create --display-name purser-zrh-aid-mail --sign-in-audience AzureADMyOrg --is-fallback-public-client true --public-client-redirect-uris http://localhost --query appId --output tsv)
az ad sp create --id "$app" --output none
api=$(az ad sp show --id "$graph" --query appId --output tsv)
id=$(permission "$graph" oauth2PermissionScopes Calendars.Read)
az ad app permission add --id "$app" --api "$api" --api-permissions "$id=Scope"
id=$(permission "$graph" oauth2PermissionScopes Mail.Read)
az ad app permission add --id "$app" --api "$api" --api-permissions "$id=Scope"
id=$(permission "$graph" oauth2PermissionScopes offline_access)
az ad app permission add --id "$app" --api "$api" --api-permissions "$id=Scope"
az ad app permission grant --id "$app" --api "$api" --scope 'Calendars.Read Mail.Read offline_access' --consent-type Principal --principal-id 66666666-7777-8888-9999-aaaaaaaaaaaa --output none
cat << END
[credential.aid-mail]
client_id = "$app"
scopes = ["Calendars.Read", "Mail.Read"]
# purser login aid-mail
END

# desk (on-behalf-of): Files.Read; agent helpdesk
app=$(az ad app create --display-name purser-zrh-desk --sign-in-audience AzureADMyOrg --query appId --output tsv)
az ad sp create --id "$app" --output none
az ad app update --id "$app" --identifier-uris "api://$app"
# Under "Expose an API" it also needs a scope, which its callers ask for.
api=$(az ad sp show --id "$graph" --query appId --output tsv)
id=$(permission "$graph" oauth2PermissionScopes Files.Read)
az ad app permission add --id "$app" --api "$api" --api-permissions "$id=Scope"
az ad app permission grant --id "$app" --api "$api" --scope Files.Read --consent-type AllPrincipals --output none
cat << END
[credential.desk]
client_id = "$app"
scopes = ["Files.Read"]
[credential.desk-app]
client_id = "$app"
# openssl req -x509 -newkey rsa:3072 -nodes -days 365 -subj /CN=purser-zrh-desk -keyout key.pem -out cert.pem
# az ad app credential reset --id $app --append --cert @cert.pem --output none
# cat cert.pem key.pem | purser secret set desk-app && shred -u key.pem
END

# mailer (client-secret): Mail.Send; agent helpdesk
app=$(az ad app create --display-name purser-zrh-mailer --sign-in-audience AzureADMyOrg --query appId --output tsv)
az ad sp create --id "$app" --output none
api=$(az ad sp show --id "$graph" --query appId --output tsv)
id=$(permission "$graph" appRoles Mail.Send)
az ad app permission add --id "$app" --api "$api" --api-permissions "$id=Role"
az ad app permission admin-consent --id "$app"
cat << END
[credential.mailer]
client_id = "$app"
scopes = ["Mail.Send"]
# az ad app credential reset --id $app --append --display-name purser --years 1 --query password --output tsv | purser secret set mailer
END

# mounted (client-secret): User.Read.All; agent helpdesk
app=$(az ad app create --display-name purser-zrh-mounted --sign-in-audience AzureADMyOrg --query appId --output tsv)
az ad sp create --id "$app" --output none
api=$(az ad sp show --id "$graph" --query appId --output tsv)
id=$(permission "$graph" appRoles User.Read.All)
az ad app permission add --id "$app" --api "$api" --api-permissions "$id=Role"
az ad app permission admin-consent --id "$app"
cat << END
[credential.mounted]
client_id = "$app"
scopes = ["User.Read.All"]
# what this prints belongs into the mounted file /mnt/secrets/\$(id): az ad app credential reset --id $app --append --display-name purser --years 1 --query password --output tsv
END

# reports-helpdesk (certificate): Reports.Read.All; agent helpdesk
app=$(az ad app create --display-name purser-zrh-reports-helpdesk --sign-in-audience AzureADMyOrg --query appId --output tsv)
az ad sp create --id "$app" --output none
api=$(az ad sp show --id "$graph" --query appId --output tsv)
id=$(permission "$graph" appRoles Reports.Read.All)
az ad app permission add --id "$app" --api "$api" --api-permissions "$id=Role"
az ad app permission admin-consent --id "$app"
cat << END
[credential.reports-helpdesk]
client_id = "$app"
scopes = ["Reports.Read.All"]
# openssl req -x509 -newkey rsa:3072 -nodes -days 365 -subj /CN=purser-zrh-reports-helpdesk -keyout key.pem -out cert.pem
# az ad app credential reset --id $app --append --cert @cert.pem --output none
# cat cert.pem key.pem | purser secret set reports-helpdesk && shred -u key.pem
END

# reports-billing (certificate): https://vault.example/Odd$(id)`id`';id.Read; agent billing
app=$(az ad app create --display-name purser-zrh-reports-billing --sign-in-audience AzureADMyOrg --query appId --output tsv)
az ad sp create --id "$app" --output none
api=$(az ad sp show --id https://vault.example --query appId --output tsv)
id=$(permission https://vault.example appRoles 'Odd$(id)`id`'\'';id.Read')
az ad app permission add --id "$app" --api "$api" --api-permissions "$id=Role"
az ad app permission admin-consent --id "$app"
cat << END
[credential.reports-billing]
client_id = "$app"
scopes = ["https://vault.example/Odd\$(id)\`id\`';id.Read"]
# openssl req -x509 -newkey rsa:3072 -nodes -days 365 -subj /CN=purser-zrh-reports-billing -keyout key.pem -out cert.pem
# az ad app credential reset --id $app --append --cert @cert.pem --output none
# cat cert.pem key.pem | purser secret set reports-billing && shred -u key.pem
END

# signer (key-vault-key): AuditLog.Read.All; agent helpdesk
app=$(az ad app create --display-name purser-zrh-signer --sign-in-audience AzureADMyOrg --query appId --output tsv)
az ad sp create --id "$app" --output none
api=$(az ad sp show --id "$graph" --query appId --output tsv)
id=$(permission "$graph" appRoles AuditLog.Read.All)
az ad app permission add --id "$app" --api "$api" --api-permissions "$id=Role"
az ad app permission admin-consent --id "$app"
cat << END
[credential.signer]
client_id = "$app"
scopes = ["AuditLog.Read.All"]
# az keyvault certificate create --vault-name corp-agents --name signer --output none --policy "\$(az keyvault certificate get-default-policy | sed 's/"exportable": true/"exportable": false/')"
# az ad app credential reset --id $app --append --keyvault corp-agents --cert signer --output none
END

# vaulted (client-secret): Group.Read.All; agent helpdesk
app=$(az ad app create --display-name purser-zrh-vaulted --sign-in-audience AzureADMyOrg --query appId --output tsv)
az ad sp create --id "$app" --output none
api=$(az ad sp show --id "$graph" --query appId --output tsv)
id=$(permission "$graph" appRoles Group.Read.All)
az ad app permission add --id "$app" --api "$api" --api-permissions "$id=Role"
az ad app permission admin-consent --id "$app"
cat << END
[credential.vaulted]
client_id = "$app"
scopes = ["Group.Read.All"]
# az ad app credential reset --id $app --append --display-name purser --years 1 --query password --output tsv | tr -d '\n' | az keyvault secret set --vault-name corp-agents --name vaulted-secret --file /dev/stdin --encoding utf-8 --output none
END

# key vault corp: purser's own identity may use these, and nothing else
reader=$PRINCIPAL
vault=$(az keyvault show --name corp-agents --query id --output tsv)
az role assignment create --assignee-object-id "$reader" --assignee-principal-type ServicePrincipal \
  --role 'Key Vault Crypto User' --scope "$vault/keys/signer" --output none
az role assignment create --assignee-object-id "$reader" --assignee-principal-type ServicePrincipal \
  --role 'Key Vault Certificates Officer' --scope "$vault/certificates/signer" --output none
az role assignment create --assignee-object-id "$reader" --assignee-principal-type ServicePrincipal \
  --role 'Key Vault Secrets Officer' --scope "$vault/secrets/vaulted-secret" --output none
az keyvault key show --vault-name corp-agents --name purser-kek --output none 2>/dev/null ||
  az keyvault key create --vault-name corp-agents --name purser-kek --kty RSA --size 3072 --ops wrapKey unwrapKey --output none
az role assignment create --assignee-object-id "$reader" --assignee-principal-type ServicePrincipal \
  --role 'Key Vault Crypto Service Encryption User' --scope "$vault/keys/purser-kek" --output none
