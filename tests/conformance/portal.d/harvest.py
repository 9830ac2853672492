"""Harvests a node's catalog with CKAN's own harvesters: the real code of CKAN, ckanext-harvest and ckanext-dcat, on a real
PostgreSQL. Two things are stand-ins, since neither takes part in what is judged: Solr (takes what is indexed and finds nothing)
and Redis (fakeredis).

    harvest.py BASE DATABASE-URL FOLDER [--ending ttl] [--change COMMAND]

Both harvesters import everything, then run again; the second run must change nothing. Then COMMAND changes one dataset and
withdraws another, and the third run must follow. Prints `ok …` or `FAILED …` for each check, and exits with 1 if any failed.
"""

import argparse
import datetime
import os
import pathlib
import subprocess
import sys

import fakeredis
import pysolr
import redis

SERVER = fakeredis.FakeServer()
failures = 0


def check(good, what, detail=""):
    global failures
    failures += 0 if good else 1
    print(("ok " if good else "FAILED ") + what + ("" if good else f": {detail}"), flush=True)


class NoSolr:
    """Takes what is indexed and finds nothing."""

    def __init__(self, *_args, **_named):
        pass

    def search(self, *_args, **_named):
        return pysolr.Results({"response": {"docs": [], "numFound": 0}, "facet_counts": {}})

    def add(self, *_args, **_named):
        return ""

    delete = commit = optimize = ping = add


def stand_ins():
    """Before CKAN is loaded: it takes these names when it is."""
    pysolr.Solr = NoSolr
    redis.Redis = lambda *_args, **_named: fakeredis.FakeRedis(server=SERVER)
    redis.StrictRedis = redis.Redis


def application(database, folder):
    """CKAN as its command line makes it, with the two harvesters."""
    ini = folder / "ckan.ini"
    ini.write_text(
        f"""[app:main]
use = egg:ckan
sqlalchemy.url = {database}
solr_url = http://127.0.0.1:1/solr
ckan.redis.url = redis://127.0.0.1:1/0
ckan.site_url = http://127.0.0.1:2
ckan.site_id = default
ckan.storage_path = {folder}
ckan.plugins = harvest ckan_harvester dcat dcat_rdf_harvester
ckan.harvest.mq.type = redis
ckan.harvest.mq.port = 1
ckan.auth.create_unowned_dataset = true
ckanext.dcat.rdf.profiles = euro_dcat_ap_3
SECRET_KEY = of-this-run-alone
""",
        encoding="utf-8",
    )
    os.environ["CKAN_INI"] = str(ini)
    from ckan.cli import CKANConfigLoader
    from ckan.config.environment import load_environment
    from ckan.config.middleware import make_app
    import ckan.lib.search as search
    import ckan.model as model

    search.check_solr_schema_version = lambda *_args, **_named: True
    config = CKANConfigLoader(str(ini)).get_config()
    load_environment(config)
    model.repo.init_db()
    from ckan.cli.db import _run_migrations

    _run_migrations("harvest")
    return make_app(config)


def quiet(source_id):
    """Datasets of a source: id, and all that CKAN keeps of each."""
    import ckan.model as model
    import ckanext.harvest.model as harvest
    from ckan.plugins import toolkit

    objects = model.Session.query(harvest.HarvestObject).filter_by(harvest_source_id=source_id, current=True)
    packages = {one.package_id for one in objects if one.package_id}
    show = toolkit.get_action("package_show")
    found = {}
    for package in packages:
        if model.Package.get(package).state == "active":
            kept = show({"ignore_auth": True, "use_cache": False}, {"id": package})
            # The number of the harvester's own run is no change of the dataset.
            kept["extras"] = sorted((e["key"], e["value"]) for e in kept["extras"] if e["key"] != "harvest_object_id")
            found[package] = kept
    return found


class Source:
    """One place to harvest from, by one harvester."""

    def __init__(self, name, url, harvester, user, organization, settings="{}"):
        from ckan.plugins import toolkit

        self.harvester = harvester
        source = {
            "name": name, "title": name, "url": url, "source_type": harvester.info()["name"], "config": settings,
            "owner_org": organization, "frequency": "MANUAL",
        }
        self.source = toolkit.get_action("harvest_source_create")({"user": user, "ignore_auth": True}, source)
        self.user = user

    def run(self):
        """One job from beginning to end; how many objects there were with which outcome."""
        import ckan.model as model
        import ckanext.harvest.model as harvest
        from ckan.plugins import toolkit
        from ckanext.harvest import queue

        context = {"user": self.user, "ignore_auth": True}
        job = toolkit.get_action("harvest_job_create")(context, {"source_id": self.source["id"], "run": False})
        job = harvest.HarvestJob.get(job["id"])
        job.status = "Running"
        job.save()
        ids = queue.gather_stage(self.harvester, job)
        outcome = {}
        for one in ids or []:
            found = harvest.HarvestObject.get(one)
            queue.fetch_and_import_stages(self.harvester, found)
            word = found.report_status or found.state
            outcome[word] = outcome.get(word, 0) + 1
        errors = [e.message for e in model.Session.query(harvest.HarvestGatherError).filter_by(harvest_job_id=job.id)]
        objects = [o.id for o in model.Session.query(harvest.HarvestObject).filter_by(harvest_job_id=job.id)]
        for error in model.Session.query(harvest.HarvestObjectError):
            if error.harvest_object_id in objects:
                errors.append(error.message)
        job.status, job.finished = "Finished", datetime.datetime.utcnow()
        job.save()
        return outcome, errors


def harvest(name, source, wanted, again):
    outcome, errors = source.run()
    check(not errors, f"{name}: the first run has no errors", errors[:3])
    check(outcome == {"added": wanted}, f"{name}: the first run adds all {wanted} datasets", outcome)
    before = quiet(source.source["id"])
    check(len(before) == wanted, f"{name}: CKAN keeps {wanted} datasets", len(before))
    outcome, errors = source.run()
    check(not errors, f"{name}: the second run has no errors", errors[:3])
    check(set(outcome) <= again, f"{name}: the second run finds nothing new", outcome)
    after = quiet(source.source["id"])
    changed = [difference(b, after.get(b["id"], {})) for b in before.values() if after.get(b["id"]) != b]
    check(not changed and len(after) == wanted, f"{name}: what CKAN keeps is the same to the last field", changed[:3])


def difference(before, after):
    return {key: (before[key], after.get(key)) for key in before if before[key] != after.get(key)}


def follow(name, source, wanted, gone):
    before = quiet(source.source["id"])
    outcome, errors = source.run()
    after = quiet(source.source["id"])
    moved = {b["title"] for b in before.values() if b["id"] in after and after[b["id"]] != b}
    left = {b["name"] for b in before.values() if b["id"] not in after}
    check(not errors, f"{name}: the third run has no errors", errors[:3])
    check(len(moved) == 1, f"{name}: the third run takes the one dataset that changed", (outcome, moved))
    if gone:
        check(len(left) == 1 and len(after) == wanted - 1, f"{name}: the withdrawn dataset is gone, and no other", left)


def main():
    words = argparse.ArgumentParser()
    words.add_argument("base")
    words.add_argument("database")
    words.add_argument("folder", type=pathlib.Path)
    words.add_argument("--ending", default="ttl")
    words.add_argument("--change")
    given = words.parse_args()
    stand_ins()
    app = application(given.database, given.folder)
    import requests
    from ckan.plugins import toolkit

    wanted = requests.get(f"{given.base}/api/3/action/package_search?rows=0", timeout=60).json()["result"]["count"]
    check(wanted > 0, f"the node shows {wanted} datasets")
    with app._wsgi_app.test_request_context():
        from ckanext.dcat.harvesters.rdf import DCATRDFHarvester
        from ckanext.harvest.harvesters.ckanharvester import CKANHarvester

        user = toolkit.get_action("get_site_user")({"ignore_auth": True}, {})["name"]
        organization = toolkit.get_action("organization_create")({"user": user}, {"name": "harvested"})["id"]
        ckan = Source("by-ckan", given.base, CKANHarvester(), user, organization)
        # Within an hour of a change it asks for the dataset again, and finds it the same.
        harvest("ckanext-harvest", ckan, wanted, {"not modified"})
        # It writes every dataset again each time; whether that changed anything is seen by what CKAN keeps, with the time of
        # the last change among it.
        dcat = Source("by-dcat", f"{given.base}/catalog.{given.ending}", DCATRDFHarvester(), user, organization)
        harvest(f"ckanext-dcat ({given.ending})", dcat, wanted, {"updated"})
        if given.change:
            subprocess.run(given.change, shell=True, check=True)
            follow("ckanext-harvest", ckan, wanted, gone=False)
            follow("ckanext-dcat", dcat, wanted, gone=True)
    sys.exit(1 if failures else 0)


main()
