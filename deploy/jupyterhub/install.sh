#!/bin/sh
# Installs the hub on one machine, as root. Run it again to upgrade: settings, guests and their files stay.
# PREFIX (/opt/spa) gets the programs, SETTINGS (/etc/spa-hub) the settings; PYTHON is the interpreter to use.
set -eu
here=$(cd "$(dirname "$0")" && pwd)
prefix=${PREFIX:-/opt/spa}
settings=${SETTINGS:-/etc/spa-hub}
python=${PYTHON:-/usr/bin/python3}

fail() { echo "install.sh: $1" >&2; exit 1; }
[ "$(id -u)" = 0 ] || fail "the hub is installed by root; run it with sudo."
"$python" -c 'import sys; sys.exit(sys.version_info < (3, 11))' || fail "$python is older than 3.11; give PYTHON=..."
command -v npm >/dev/null || fail "npm is needed for the proxy; on Debian: apt-get install npm."

umask 022
[ -x "$prefix/bin/python" ] || "$python" -m venv "$prefix" || fail "on Debian, venv needs: apt-get install python3-venv."
"$prefix/bin/python" -m pip install --quiet --upgrade pip
"$prefix/bin/python" -m pip install --quiet "$here/../..[hub]"
if [ -d /run/systemd/system ]; then "$prefix/bin/python" -m pip install --quiet jupyterhub-systemdspawner; fi
npm install --silent --no-fund --no-audit --prefix "$prefix" configurable-http-proxy@5

mkdir -p "$prefix/notebooks" "$prefix/hub"
for source in "$here"/../../notebooks/*.py; do
  "$prefix/bin/jupytext" --quiet --to ipynb --output "$prefix/notebooks/$(basename "$source" .py).ipynb" "$source"
done
cp -R "$here/spa_hub" "$here/jupyterhub_config.py" "$here/server_config.py" "$here/start-server" "$prefix/hub/"
printf '#!/bin/sh\nPYTHONPATH="%s/hub" exec "%s/bin/python" -m spa_hub --folder "%s" "$@"\n' \
  "$prefix" "$prefix" "$settings" >"$prefix/bin/spa-hub"
chmod 755 "$prefix/bin/spa-hub" "$prefix/hub/start-server"

mkdir -p "$settings"
chmod 700 "$settings"
[ -e "$settings/hub.toml" ] || sed -e "s|/opt/spa/|$prefix/|" -e "s|/etc/spa-hub/|$settings/|" "$here/hub.toml" >"$settings/hub.toml"
if [ -d /run/systemd/system ]; then
  sed -e "s|/opt/spa|$prefix|g" -e "s|/etc/spa-hub|$settings|g" "$here/spa-hub.service" >/etc/systemd/system/spa-hub.service
  systemctl daemon-reload
  echo "Installed. Now: $prefix/bin/spa-hub make 20, then systemctl enable --now spa-hub"
else
  echo "Installed. Now: $prefix/bin/spa-hub make 20, then SPA_HUB_SETTINGS=$settings/hub.toml $prefix/bin/jupyterhub --config=$prefix/hub/jupyterhub_config.py"
fi
