#!/bin/sh
# What Entra needs for instance zrh: a registration for each set of scopes, consented to exactly that.
# Read it, then run it after `az login --tenant contoso.onmicrosoft.us`, as somebody who may register applications
# and consent to their permissions. It makes new registrations each time it runs.
# az cloud set --name AzureUSGovernment
set -eu
graph=00000003-0000-0000-c000-000000000000  # Microsoft Graph

# RESOURCE appRoles|oauth2PermissionScopes NAME: the permission's id, as the tenant knows it.
permission() {
  found=$(az ad sp show --id "$1" --query "$2[?value=='$3'].id" --output tsv)
  if [ -z "$found" ]; then echo "$1 has no permission $3 in $2" >&2; return 1; fi
  echo "$found"
}

: "${app_agent_app:?the client id of agent-app; by its principal id: az ad sp show --id PRINCIPAL --query appId}"
: "${ISSUER:?the OIDC issuer of the token file of pod; of AKS: az aks show --query oidcIssuerProfile.issuerUrl}"
: "${SUBJECT:?whom that token names; in Kubernetes: system:serviceaccount:NAMESPACE:NAME}"

# agent-app (agent-identity): AuditLog.Read.All; agent helpdesk
# An agent identity is made from its blueprint, credential blueprint, not with az ad app.
app=$app_agent_app
principal=$(az ad sp show --id "$app" --query id --output tsv)
api=$(az ad sp show --id "$graph" --query id --output tsv)
id=$(permission "$graph" appRoles AuditLog.Read.All)
az rest --method POST --output none --url "https://graph.microsoft.us/v1.0/servicePrincipals/$principal/appRoleAssignments" \
  --body "{\"principalId\":\"$principal\",\"resourceId\":\"$api\",\"appRoleId\":\"$id\"}"
cat << END
[credential.agent-app]
client_id = "$app"
scopes = ["AuditLog.Read.All"]
END

# agent-user (agent-identity): Calendars.Read, Mail.Read; agent helpdesk
# An agent identity is made from its blueprint, credential blueprint, not with az ad app.
app=55555555-0000-0000-0000-000000000000
principal=$(az ad sp show --id "$app" --query id --output tsv)
api=$(az ad sp show --id "$graph" --query id --output tsv)
scopes='Calendars.Read Mail.Read'
az rest --method POST --output none --url "https://graph.microsoft.us/v1.0/oauth2PermissionGrants" \
  --body "{\"clientId\":\"$principal\",\"consentType\":\"Principal\",\"principalId\":\"66666666-7777-8888-9999-aaaaaaaaaaaa\",\"resourceId\":\"$api\",\"scope\":\"$scopes\"}"
cat << END
[credential.agent-user]
client_id = "$app"
scopes = ["Calendars.Read", "Mail.Read"]
END

# blueprint (key-vault-key): no permission in Entra
# A blueprint is made in the Entra admin center or with Graph, not with az ad app.
app=33333333-0000-0000-0000-000000000000
cat << END
[credential.blueprint]
client_id = "$app"
# az keyvault certificate create --vault-name corp-agents --name blueprint --output none --policy "\$(az keyvault certificate get-default-policy | sed 's/"exportable": true/"exportable": false/')"
# az ad app credential reset --id $app --append --keyvault corp-agents --cert blueprint --output none
END

# machine (managed-identity): Reports.Read.All; agent helpdesk
app=11111111-0000-0000-0000-000000000000
principal=$(az ad sp show --id "$app" --query id --output tsv)
api=$(az ad sp show --id "$graph" --query id --output tsv)
id=$(permission "$graph" appRoles Reports.Read.All)
az rest --method POST --output none --url "https://graph.microsoft.us/v1.0/servicePrincipals/$principal/appRoleAssignments" \
  --body "{\"principalId\":\"$principal\",\"resourceId\":\"$api\",\"appRoleId\":\"$id\"}"
cat << END
[credential.machine]
client_id = "$app"
scopes = ["Reports.Read.All"]
END

# pod (federated): User.Read.All; agent helpdesk
app=$(az ad app create --display-name purser-zrh-pod --sign-in-audience AzureADMyOrg --query appId --output tsv)
az ad sp create --id "$app" --output none
api=$(az ad sp show --id "$graph" --query appId --output tsv)
id=$(permission "$graph" appRoles User.Read.All)
az ad app permission add --id "$app" --api "$api" --api-permissions "$id=Role"
az ad app permission admin-consent --id "$app"
az ad app federated-credential create --id "$app" --output none --parameters \
  "{\"name\":\"purser\",\"issuer\":\"$ISSUER\",\"subject\":\"$SUBJECT\",\"audiences\":[\"api://AzureADTokenExchangeUSGov\"]}"
app_pod=$app
cat << END
[credential.pod]
client_id = "$app"
scopes = ["User.Read.All"]
END

# trusted (federated): Group.Read.All; agent helpdesk
app=$(az ad app create --display-name purser-zrh-trusted --sign-in-audience AzureADMyOrg --query appId --output tsv)
az ad sp create --id "$app" --output none
api=$(az ad sp show --id "$graph" --query appId --output tsv)
id=$(permission "$graph" appRoles Group.Read.All)
az ad app permission add --id "$app" --api "$api" --api-permissions "$id=Role"
az ad app permission admin-consent --id "$app"
tenant=$(az account show --query tenantId --output tsv)
subject=$(az ad sp show --id "11111111-0000-0000-0000-000000000000" --query id --output tsv)
az ad app federated-credential create --id "$app" --output none --parameters \
  "{\"name\":\"purser\",\"issuer\":\"https://login.microsoftonline.us/$tenant/v2.0\",\"subject\":\"$subject\",\"audiences\":[\"api://AzureADTokenExchangeUSGov\"]}"
cat << END
[credential.trusted]
client_id = "$app"
scopes = ["Group.Read.All"]
END

# key vault corp: purser's own identity may use these, and nothing else
reader=$(az ad sp show --id "$app_pod" --query id --output tsv)
vault=$(az keyvault show --name corp-agents --query id --output tsv)
az role assignment create --assignee-object-id "$reader" --assignee-principal-type ServicePrincipal \
  --role 'Key Vault Crypto User' --scope "$vault/keys/blueprint" --output none
az role assignment create --assignee-object-id "$reader" --assignee-principal-type ServicePrincipal \
  --role 'Key Vault Certificate User' --scope "$vault/certificates/blueprint" --output none
